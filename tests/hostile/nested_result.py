# Returns a value nested too deeply.
# mode: assert
# outcome: wrong

def f(n):
    value = []
    for _ in range(100_000):
        value = [value]
    return value
