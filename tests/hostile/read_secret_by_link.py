# Reads a file of the user through a link in its own folder.
# mode: stdin
# outcome: runtime_error
# needs: landlock files

import os
os.symlink('@SECRET@', 'link')
print(open('link').read())
