# Looks for the expected output among all objects.
# mode: stdin
# outcome: runtime_error
# check: @ANSWER@

import gc, re
for value in gc.get_objects():
    found = re.search('7741[0-9]{8}', str(value)[:10000])
    if found and 'search' not in str(value):
        print(found[0])
        break
else:
    raise LookupError('not here')
