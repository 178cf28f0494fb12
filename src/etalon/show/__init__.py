"""What the user sees on a terminal: `progress` while a run works, `table` at its end."""
