"""Claim-level reliability: K answers, M claims each, verified without their reasoning (CLR paper, arXiv 2608.11994).

conversation -> K trajectories (answer + claims) -> verdicts per claim -> reliability -> cluster scores -> answer
claims.py        prompts and the tolerant parser; replies.py reads what is not quite in the form that was asked for
reliability.py   r = (mean verdict)^M, cluster scores, the winner
decision.py      when the answer can no longer change, and what to verify next
flow.py          one problem's way through the two stages; trajectory.py is a response, spend.py what it costs
record.py        what is kept of a flow, also beside the right answer
batch.py         many flows batched over one inner Sampler; is itself a Sampler
live/            one flow whose calls are sent, watched and cancelled one by one; knobs.py is what one can set
"""
