# Makes a user namespace, where it would be root.
# mode: stdin
# outcome: runtime_error
# needs: seccomp

import ctypes
if ctypes.CDLL(None).unshare(0x10000000) != 0:
    raise OSError('refused')
n = int(input())
print('inside')
