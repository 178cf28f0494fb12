# Writes the line that ends a test into every descriptor.
# mode: assert
# outcome: runtime_error

import os, struct


def everywhere(content):
    for number in range(3, 64):
        try:
            os.write(number, content)
        except OSError:
            pass


everywhere(b'[null, "ok", 0, ""]\n')
def f(n):
    everywhere(b'[null, "ok", 0, ""]\n')
    os._exit(0)
