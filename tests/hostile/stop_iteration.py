# Ends the loop of the checks early.
# mode: assert
# outcome: wrong
# check: assert list(map(f, [3])) != [] and all(f(n) == @ANSWER@ for n in [3])

def f(n):
    raise StopIteration
