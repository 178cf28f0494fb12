# Kills whatever it may.
# mode: stdin
# outcome: runtime_error
# needs: seccomp

import os, signal
os.kill(-1, signal.SIGKILL)
n = int(input())
print(n + 1)
