# Computes with numpy: valid.
# mode: stdin
# outcome: pass
# needs: numpy

import numpy as np
n = int(input())
print(int(np.linalg.det(np.eye(3)).round()) + np.arange(n + 1).max())
