# Sends the checks a message nested too deeply to be read.
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
    content = b'[' * 500_000
    everywhere(struct.pack('=I', len(content)) + content)
    return 0
