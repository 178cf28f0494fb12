# Lists the home folder.
# mode: stdin
# outcome: runtime_error
# needs: landlock files

import os
print(os.listdir(os.path.expanduser('~')), os.listdir('/root'), os.listdir('/home'))
