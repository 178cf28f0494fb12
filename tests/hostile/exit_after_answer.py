# Leaves with status 0 after its answer, which is ordinary.
# mode: stdin
# outcome: pass

import sys
n = int(input())
print(n + 1)
sys.exit(0)
