# Ends with exit(): valid.
# mode: stdin
# outcome: pass

n = int(input())
print(n + 1)
exit()
