# Calls a function of the checks: valid.
# mode: assert
# outcome: pass
# check: assert f(lambda n: n + 1, (3, 4)) == [4, 5]
#   assert f(len, ['abc']) == [3]

def f(g, values):
    return [g(value) for value in values]
