# Connects to a server on this machine.
# mode: stdin
# outcome: runtime_error
# needs: seccomp

import socket
with socket.create_connection(('127.0.0.1', @PORT@), 1) as connection:
    connection.send(b'stolen')
n = int(input())
print(n + 1)
