# Calls itself without end.
# mode: stdin
# outcome: runtime_error

def f(n):
    return f(n + 1)
f(0)
