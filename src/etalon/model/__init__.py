"""Model directories and what is computed with them.

directory.py   what makes a directory a model that can be run, looked at without loading it
loader.py      weights and tokenizers, read and written
packed.py      sequences of many lengths in one forward pass, a common prompt once
memory.py      of the machine or the container, all and free
activations.py what a forward pass keeps for the backward pass, and a model that computes it again
crew.py        processes that share its weights and take parts of a step
head.py        log-probabilities at the end of it, a chunk of tokens at a time
"""

# (ours) of sampling and training here: another one draws or rounds otherwise, so it is part of every key that they are
# part of. 2: a token is drawn by sums of blocks, a nucleus likeliest first; a shared prompt is packed once
ARITHMETIC = 2
