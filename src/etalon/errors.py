"""What the user can fix: the command line prints one line (what, where, what would do) and exits 2.

Every other exception is a bug of ours and keeps its traceback (exit 1).
"""


class EtalonError(Exception):
    """Something the user can fix; the message names what was found, where, and what would do."""


class ConfigError(EtalonError):
    """A recipe, a `--set` value or a command line that cannot be run as written."""


class InputError(EtalonError):
    """A problem file, a model directory or another input that is missing, unreadable or malformed."""


class LeftOutError(InputError):
    """The row can be read and is left out: it says itself that it has no answer, or nobody here decides its kind.

    Importers count such a row by its reason; it is no unreadable one.
    """


class RunError(EtalonError):
    """A run directory that cannot be continued: made by another recipe, in use, or out of disk."""


class StoppedError(EtalonError):
    """Stopped by the user, who is told what came of it and where it is kept (exit 130)."""


class UnsupportedModelError(EtalonError):
    """A model family or option that the asked-for engine does not implement."""
