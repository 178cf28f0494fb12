# Raises what the checks expect of a failure.
# mode: assert
# outcome: runtime_error

def f(n):
    raise AssertionError
