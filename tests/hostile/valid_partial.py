# Is a partial function, and another that is cached: valid.
# mode: assert
# outcome: pass
# check: assert f(3) == g(3) == 4
#   assert h([3, 4]) == 4

import functools
import operator
def add(a, b):
    return a + b
f = functools.partial(add, 1)
g = functools.lru_cache(None)(lambda n: f(n))
h = operator.itemgetter(1)
