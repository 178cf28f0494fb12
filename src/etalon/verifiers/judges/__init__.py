"""A language model as judge, through any Sampler; `verifiers.judge` is the door.

contract.py      what goes into a prompt and what counts as a reply
asking.py        Judge: asks in batches, asks again, remembers
equivalence.py   is an answer the reference? and where that is asked after the rules
quality.py       is a query usable?
rubric.py        a score of weighted criteria
"""
