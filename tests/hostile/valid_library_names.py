# Lends the checks the modules and classes it imported: valid.
# mode: assert
# outcome: pass
# check: counts: List[int] = f(3)
#   assert math.isclose(counts[0], 4)
#   assert defaultdict(int)[0] == 0

import math
from collections import defaultdict
from typing import List
def f(n: int) -> List[int]:
    return [n + 1]
