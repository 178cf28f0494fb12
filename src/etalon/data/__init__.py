"""Data construction (2.1.1): pure functions over Problems and Traces; a stage wires them to samplers and files."""
