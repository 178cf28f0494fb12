# Calls itself through C until the stack ends.
# mode: stdin
# outcome: runtime_error memory timeout

import sys
sys.setrecursionlimit(10**9)
class A:
    def __repr__(self):
        return repr([self])
repr(A())
