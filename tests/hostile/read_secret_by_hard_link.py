# Gives a file of the user a second name in its own folder.
# mode: stdin
# outcome: runtime_error
# needs: landlock files

import os
os.link('@SECRET@', 'link')
print(open('link').read())
