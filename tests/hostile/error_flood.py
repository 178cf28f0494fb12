# Prints very much to standard error, then answers.
# mode: stdin
# outcome: pass

import sys
for _ in range(3000):
    sys.stderr.write('x' * 10000)
n = int(input())
print(n + 1)
