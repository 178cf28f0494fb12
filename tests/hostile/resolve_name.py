# Looks up a name, which is a message too.
# mode: stdin
# outcome: runtime_error

import socket
print(socket.getaddrinfo('stolen.example.org', 80))
