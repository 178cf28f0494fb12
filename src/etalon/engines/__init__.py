"""Engines train: same rows in, same Hugging Face checkpoint out. `local` is ours: one process, CPU or one GPU."""
