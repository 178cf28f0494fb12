# Has the kernel signal another process when a pipe is read.
# mode: stdin
# outcome: runtime_error
# needs: seccomp

import fcntl, os
reader, writer = os.pipe()
fcntl.fcntl(reader, 8, os.getppid() or 1)
n = int(input())
print(n + 1)
