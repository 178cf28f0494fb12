# Opens a port.
# mode: stdin
# outcome: runtime_error
# needs: seccomp

import socket
socket.create_server(('127.0.0.1', 0))
n = int(input())
print(n + 1)
