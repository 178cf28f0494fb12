# Reads a file of the user.
# mode: stdin
# outcome: runtime_error
# needs: landlock files

print(open('@SECRET@').read())
