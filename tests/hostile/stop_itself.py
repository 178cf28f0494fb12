# Stops itself.
# mode: stdin
# outcome: timeout runtime_error

import os, signal
os.kill(os.getpid(), signal.SIGSTOP)
n = int(input())
print(n + 1)
