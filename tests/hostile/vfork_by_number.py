# Asks the kernel for a process directly, by number, in three ways.
# mode: stdin
# outcome: pass
# needs: seccomp

import ctypes, platform
libc = ctypes.CDLL(None)
calls = (57, 58, 435) if platform.machine() == 'x86_64' else (435,)
found = [libc.syscall(number, 0, 0, 0, 0, 0) for number in calls]
n = int(input())
print(n + 1 if set(found) == {-1} else found)
