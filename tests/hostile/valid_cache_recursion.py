# Recurses deeply through a C function: valid.
# mode: stdin
# outcome: pass

import sys
from functools import lru_cache
sys.setrecursionlimit(10**6)
@lru_cache(None)
def depth(n):
    return 0 if n == 0 else 1 + depth(n - 1)
assert depth(30_000) == 30_000
n = int(input())
print(n + 1)
