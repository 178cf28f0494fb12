"""Files of rows, read in one place: what a row is, what it is called when it is bad, and a function mapped over all.

    file -> unpacked -> lines | JSON array | CSV | parquet -> Row(place, columns) -> --map -> whoever reads rows
    Row that cannot be read -> "FILE: line 3: answer: missing" -> counted; above max_bad the command stops

`files` reads, `mapping` renames columns and says which name would do, `bad` counts, `spread` maps a function over the
rows of files: in threads of this process, in processes of this machine (`pool`), or on a Ray cluster (`cluster`); both
take a file in `parts`. What is mapped stays with what it does: the verdict on a row in `verifiers.rows`, the gates on a
row in `data.filtering`, a row's problem in `problems.formats`.
"""
