# Takes the standard streams away.
# mode: stdin
# outcome: pass

import sys
n = int(input())
print(n + 1)
sys.stdout.flush()
sys.stdin = sys.stdout = sys.stderr = None
