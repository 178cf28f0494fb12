# Answers, and leaves with status 3.
# mode: stdin
# outcome: runtime_error

import sys
n = int(input())
print(n + 1)
sys.exit(3)
