# Puts a program into a memory file to run it.
# mode: stdin
# outcome: runtime_error

import os
file = os.memfd_create('program')
os.write(file, b'#!/bin/sh\necho 4\n')
os.execve(file, ['x'], {})
