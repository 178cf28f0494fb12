# Kills the process that forked it.
# mode: stdin
# outcome: runtime_error
# needs: seccomp

import os, signal
os.kill(os.getppid(), signal.SIGKILL)
n = int(input())
print(n + 1)
