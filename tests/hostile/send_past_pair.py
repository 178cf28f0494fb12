# Sends from a socket pair to another address.
# mode: stdin
# outcome: runtime_error
# needs: seccomp

import socket
one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
one.sendto(b'stolen', '/dev/log')
n = int(input())
print(n + 1)
