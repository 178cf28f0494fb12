"""`etalon data filter`: the gates over the rows of files (2.1.1 step 4a), in processes or on a cluster.

GateRows  row -> read -> overlap -> trace -> correctness -> a note and the row, in one line     (any process)
Sifted    notes -> duplicates -> the rows that passed, counts by domain and source, dropped rows   (one process)
"""

from etalon.data.filtering.gate_rows import GateRows
from etalon.data.filtering.notes import GATES, Note, Stop
from etalon.data.filtering.sifted import Dropped, Sifted

__all__ = ["GATES", "Dropped", "GateRows", "Note", "Sifted", "Stop"]
