# Changes its arguments in place: valid.
# mode: assert
# outcome: pass
# check: rows = [[1, 2], [3]]
#   first = rows[0]
#   f(rows)
#   assert rows == [[3], [1, 2, 4]]

def f(rows):
    rows[0].append(4)
    rows.sort(key=len)
