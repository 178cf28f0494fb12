# Reads and writes through /dev: valid.
# mode: stdin
# outcome: pass

n = int(open('/dev/stdin').read())
print(n + 1, file=open('/dev/stdout', 'w'))
