# Walks to a file of the user from the root of its process.
# mode: stdin
# outcome: runtime_error
# needs: landlock files

print(open('/proc/self/root@SECRET@').read())
