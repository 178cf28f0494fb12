# Sends a datagram.
# mode: stdin
# outcome: runtime_error
# needs: seccomp

import socket
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'stolen', ('127.0.0.1', @PORT@))
n = int(input())
print(n + 1)
