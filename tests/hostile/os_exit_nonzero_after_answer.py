# Answers, and leaves at once with status 1.
# mode: stdin
# outcome: runtime_error

import os
n = int(input())
print(n + 1, flush=True)
os._exit(1)
