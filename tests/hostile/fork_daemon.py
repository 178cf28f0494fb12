# Detaches a grandchild that would outlive it.
# mode: stdin
# outcome: runtime_error
# needs: seccomp

import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(600)
    os._exit(0)
n = int(input())
print(n + 1)
