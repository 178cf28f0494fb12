# Leaves a thread that never ends.
# mode: stdin
# outcome: timeout

import threading, time
threading.Thread(target=time.sleep, args=(3600,)).start()
n = int(input())
print(n + 1)
