# Kills its process group.
# mode: stdin
# outcome: runtime_error

import os, signal
os.killpg(0, signal.SIGKILL)
n = int(input())
print(n + 1)
