"""Reinforcement learning without an engine: equations (mgpo, long2short), the seam (credit), prompts, metrics."""
