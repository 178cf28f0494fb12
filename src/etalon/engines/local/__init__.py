"""The local engine: one process, CPU or one GPU. A small loop, and the oracle that other engines are tested against.

trainer         one update, gradient accumulation, resumable state, the loop
supervised      SFT, pretraining and self-distillation over token rows
reinforcement   one on-policy RL phase
optim           AdamW, Muon, the schedule
"""
