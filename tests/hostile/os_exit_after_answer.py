# Answers, and leaves at once with status 0.
# mode: stdin
# outcome: pass

import os
n = int(input())
print(n + 1, flush=True)
os._exit(0)
