# Waits for nothing.
# mode: stdin
# outcome: timeout

import time
time.sleep(3600)
