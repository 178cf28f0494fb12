"""Reinforcement learning: the equations (mgpo, long2short), the seam to engines (credit), and one RL phase (phase)."""
