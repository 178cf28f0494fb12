# Lists what else runs here.
# mode: stdin
# outcome: runtime_error
# needs: landlock

import os
print([open(f'/proc/{name}/cmdline').read() for name in os.listdir('/proc') if name.isdigit()])
