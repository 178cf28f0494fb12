# Answers before it is asked.
# mode: assert
# outcome: runtime_error

import os, struct


def everywhere(content):
    for number in range(3, 64):
        try:
            os.write(number, content)
        except OSError:
            pass


content = b'[["answer", true, null], []]'
everywhere(struct.pack('=I', len(content)) + content)
os._exit(0)
