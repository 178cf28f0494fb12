# Reads the environment of other processes.
# mode: stdin
# outcome: runtime_error

import os
for name in os.listdir('/proc'):
    if name.isdigit():
        print(open(f'/proc/{name}/environ').read())
raise OSError('nothing found')
