"""MGPO and Long2Short on TRL: a `GRPOTrainer` whose rewards are finished credits.

    from etalon.engines.trl import MGPOConfig, MGPOTrainer, verified

The names load TRL when they are first asked for, so that this package can be looked at without it.
"""

from __future__ import annotations

from typing import Any

from etalon.errors import ConfigError

__all__ = ["MGPOConfig", "MGPOTrainer", "verified"]

MISSING = "the trl engine needs TRL, which is not installed here; in Etalon's folder run pip install -e '.[trl]'"


def __getattr__(name: str) -> Any:
    """Load the trainer, its configuration, or the reward function."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "verified":
        from etalon.engines.trl.rewards import verified

        return verified
    try:
        from etalon.engines.trl import mgpo
    except ModuleNotFoundError as error:
        if error.name not in ("trl", "datasets", "accelerate", "peft"):
            raise
        raise ConfigError(MISSING) from error
    return getattr(mgpo, name)
