# Reads the users of the machine.
# mode: stdin
# outcome: runtime_error
# needs: landlock files

print(open('/etc/passwd').read())
