# Raises its own limits.
# mode: stdin
# outcome: runtime_error

import resource
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
n = int(input())
print(n + 1)
