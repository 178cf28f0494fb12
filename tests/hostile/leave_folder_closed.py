# Leaves full folders that nobody may enter.
# mode: stdin
# outcome: pass

import os, pathlib
assert os.listdir() in ([], ['a'])
os.makedirs('a/b', exist_ok=True)
pathlib.Path('a/b/c').touch()
os.chmod('a/b', 0)
os.chmod('a', 0)
os.chmod('.', 0)
n = int(input())
print(n + 1)
