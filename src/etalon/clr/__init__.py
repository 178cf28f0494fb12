"""Claim-level reliability: K answers, M claims each, verified without their reasoning (CLR paper, arXiv 2608.11994).

conversation -> K trajectories (answer + claims) -> verdicts per claim -> reliability -> cluster scores -> answer
claims.py        prompts and the tolerant parser
reliability.py   r = (mean verdict)^M, cluster scores, the winner
decision.py      when the answer can no longer change, and what to verify next
flow.py          one problem's way through the two stages, and its record
sampler.py       many flows batched over one inner Sampler; is itself a Sampler
"""
