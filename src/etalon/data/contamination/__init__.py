"""Decontamination: which rows hold an item of a benchmark, by the share of the item that they cover (ours).

benchmark files -> items (read_items) -> Index (index) -> Index.find(texts of a row) -> Hit, or nothing
"""
