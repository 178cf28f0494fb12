# Writes a program into its folder to run it.
# mode: stdin
# outcome: runtime_error

import os
with open('program', 'w') as file:
    file.write('#!/bin/sh\necho 4\n')
os.chmod('program', 0o755)
os.execv('program', ['program'])
