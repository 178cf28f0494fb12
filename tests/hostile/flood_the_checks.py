# Sends the checks a message of gigabytes.
# mode: assert
# outcome: runtime_error

import os, struct


def everywhere(content):
    for number in range(3, 64):
        try:
            os.write(number, content)
        except OSError:
            pass


def f(n):
    everywhere(struct.pack('=I', 0xFFFFFFFF) + bytes(1 << 20))
