"""Answers of models that are paid for once: a sampler that remembers, and the file where answers are kept."""
