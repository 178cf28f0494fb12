# Returns a generator: valid.
# mode: assert
# outcome: pass
# check: assert list(f(3)) == [4]
#   assert sum(f(3)) == 4
#   assert 4 in f(3)

def f(n):
    yield n + 1
