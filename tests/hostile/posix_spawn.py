# Spawns another interpreter.
# mode: stdin
# outcome: runtime_error

import os, sys
os.posix_spawn('/bin/sh', ['sh', '-c', 'touch @WITNESS@'], {})
