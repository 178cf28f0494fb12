"""Rows of a running stage, and scores, handed to a tracker that somebody already uses; files stay the truth."""
