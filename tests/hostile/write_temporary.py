# Writes to the folder for temporary files, for a later program to read.
# mode: stdin
# outcome: runtime_error
# needs: landlock files

open('/tmp/etalon-witness', 'w').write('x')
n = int(input())
print(n + 1)
