# Mounts a file system.
# mode: stdin
# outcome: runtime_error

import ctypes
if ctypes.CDLL(None).mount(b'none', b'.', b'tmpfs', 0, None) != 0:
    raise OSError('refused')
n = int(input())
print('mounted')
