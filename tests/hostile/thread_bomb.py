# Starts threads without end.
# mode: stdin
# outcome: runtime_error memory

import threading, time
while True:
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
