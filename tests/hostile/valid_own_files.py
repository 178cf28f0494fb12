# Writes and reads files of its own: valid.
# mode: stdin
# outcome: pass

import tempfile
with open('a', 'w') as file:
    file.write(input())
with tempfile.TemporaryFile() as other:
    other.write(b'x')
print(int(open('a').read()) + 1)
