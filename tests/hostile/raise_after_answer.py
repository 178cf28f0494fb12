# Answers, and fails.
# mode: stdin
# outcome: runtime_error

n = int(input())
print(n + 1)
raise ValueError
