"""Model directories and what is computed with them.

directory.py   what makes a directory a model that can be run, looked at without loading it
loader.py      weights and tokenizers, read and written
packed.py      sequences of many lengths in one forward pass, a common prompt once
memory.py      of the machine or the container, all and free
activations.py what a forward pass keeps for the backward pass, and a model that computes it again
head.py        log-probabilities at the end of it, a chunk of tokens at a time
"""
