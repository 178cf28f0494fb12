# Leaves from a thread while the checks run.
# mode: assert
# outcome: runtime_error

import os, threading, time
def leave():
    time.sleep(0.05)
    os._exit(0)
threading.Thread(target=leave).start()
def f(n):
    time.sleep(1)
    return n + 1
