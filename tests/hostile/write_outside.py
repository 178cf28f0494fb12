# Writes a file elsewhere.
# mode: stdin
# outcome: runtime_error
# needs: landlock files

open('@WITNESS@', 'w').write('x')
n = int(input())
print(n + 1)
