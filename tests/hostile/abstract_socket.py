# Binds an abstract local socket.
# mode: stdin
# outcome: runtime_error
# needs: seccomp

import socket
socket.socket(socket.AF_UNIX).bind(chr(0) + 'stolen')
n = int(input())
print(n + 1)
