# Writes to shared memory.
# mode: stdin
# outcome: runtime_error
# needs: landlock files

open('/dev/shm/etalon-witness', 'w').write('x')
n = int(input())
print(n + 1)
