# Raises what the checks expect of a failure.
# mode: assert
# outcome: wrong

def f(n):
    raise AssertionError
