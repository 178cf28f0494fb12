# Raises the limit of its stack: valid.
# mode: stdin
# outcome: pass

import resource, sys
resource.setrlimit(resource.RLIMIT_STACK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
sys.setrecursionlimit(10**6)
n = int(input())
print(n + 1)
