"""Reinforcement learning without an engine: equations, the seam (credit), prompts, metrics."""
