"""Supervised fine-tuning without an engine: token rows, the Pass@K probe, the merge of specialists (fuse),
and which of its own traces a student learns from (selection)."""
