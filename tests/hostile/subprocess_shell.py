# Runs a shell command.
# mode: stdin
# outcome: runtime_error

import subprocess
subprocess.run(['sh', '-c', 'touch @WITNESS@'], check=True)
n = int(input())
print(n + 1)
