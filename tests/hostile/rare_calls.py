# Tries kernel interfaces known for holes.
# mode: stdin
# outcome: pass
# needs: seccomp

import ctypes, platform
libc = ctypes.CDLL(None)
calls = (425, 298, 321, 250, 323, 303) if platform.machine() == 'x86_64' else (425, 241, 280, 219, 282, 264)
found = [libc.syscall(number, 0, 0, 0, 0, 0) for number in calls]
n = int(input())
print(n + 1 if set(found) == {-1} else found)
