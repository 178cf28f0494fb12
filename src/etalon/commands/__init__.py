"""One file per family of commands. Heavy imports happen inside a command, never for --help."""
