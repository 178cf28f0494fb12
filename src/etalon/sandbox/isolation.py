"""What a zygote is told about the walls to build, and what is known of those it could not build.

seccomp    no new process, no network, no signal to others          Linux, x86_64 and aarch64
landlock   only the standard library and the own folder             Linux 5.13
files      a file system with nothing else in it                    these three are namespaces:
network    no network at all                                        root, or a kernel that allows them to users
processes  no other process to be seen

Without them, `plain`: an interpreter per program with its limits, and nothing else between it and the machine.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import Any, Literal, get_args

LOG = logging.getLogger("etalon.sandbox")
WALLS = ("seccomp", "landlock", "files", "network", "processes")  # the last three are namespaces
Way = Literal["walls", "plain"]  # plain is never chosen by itself
WAYS: tuple[Way, ...] = get_args(Way)
HOW_WITHOUT = (
    'isolation = "plain" (in [sandbox] of a recipe, or --isolation plain) runs programs without walls, by limits and a '
    "deadline alone"
)
# What zygotes load beforehand for programs and tests that name it: beside the standard library, if it is installed
LIBRARIES = {"numpy": ("numpy", "numpy.libs"), "pytest": ("pytest", "_pytest")}  # with what a program may read of it
SLOW_MODULES = ("asyncio", "unittest")  # of the standard library
ZONES = ("/usr/share/zoneinfo", "/etc/localtime", "/etc/ld.so.cache")


class Level(IntEnum):
    """How much of a machine is out of reach of a program."""

    WEAK = 0  # limits only: a program can do what its user can
    PARTIAL = 1  # some of files, network and processes are out of reach
    STRONG = 2  # all of them


@dataclass(frozen=True, kw_only=True)
class Isolation:
    """The walls of a zygote. missing: those it could not build, with the reason the kernel gave."""

    missing: Mapping[str, str]
    way: Way = "walls"

    @property
    def level(self) -> Level:
        out_of_reach = [bool(self._built(*walls)) for _, walls in PROTECTS]
        return Level.STRONG if all(out_of_reach) else Level.PARTIAL if any(out_of_reach) else Level.WEAK

    def _built(self, *names: str) -> list[str]:
        return [name for name in names if name not in self.missing]

    def lines(self) -> list[str]:
        """For people: the level, what protects what, and what is missing."""
        found = [
            f"isolation of untrusted programs: {'plain, ' if self.way == 'plain' else ''}{self.level.name.lower()}"
        ]
        for what, walls in PROTECTS:
            built = self._built(*walls)
            found.append(
                f"{what}: {'out of reach (' + ', '.join(built) + ')' if built else 'WITHIN REACH of programs'}"
            )
        if self.way == "plain":
            return [*found, f"walls: {CHOSEN}: an interpreter of its own, limits and a deadline are all there is"]
        return found + [f"missing: {name} ({why}); it takes {TAKES[name]}" for name, why in self.missing.items()]


CHOSEN = 'none, isolation = "plain" was chosen'
PROTECTS = (
    ("files of this machine", ("landlock", "files")),
    ("the network", ("seccomp", "network")),
    ("other processes", ("seccomp", "processes")),
)
PLAIN = Isolation(missing=dict.fromkeys(WALLS, CHOSEN), way="plain")

_NAMESPACES = "root, or a kernel that lets users make namespaces"
TAKES = {
    "seccomp": "Linux on x86_64 or aarch64, built with seccomp filters",
    "landlock": "Linux 5.13 or later with landlock among its security modules",
    "files": _NAMESPACES,
    "network": _NAMESPACES,
    "processes": _NAMESPACES,
}


@cache
def _told(missing: frozenset[tuple[str, str]]) -> None:
    isolation = Isolation(missing=dict(missing))
    names = ", ".join(f"{name} ({reason})" for name, reason in sorted(isolation.missing.items()))
    LOG.warning("untrusted programs run with %s isolation, without %s", isolation.level.name.lower(), names)


@cache
def _told_plain() -> None:
    LOG.warning(
        'untrusted programs run with isolation "plain": limits and a deadline, but files, network and processes of '
        "this machine are within their reach"
    )


def tell(isolation: Isolation) -> None:
    """Say once per process what is missing."""
    if isolation.way == "plain":
        _told_plain()
    elif isolation.missing:
        _told(frozenset(isolation.missing.items()))


def wanted_libraries(program: str, *tests: str) -> tuple[str, ...]:
    """What to load for a program and its tests, by the names in their text. Programs have no use for pytest."""
    return tuple(
        name
        for name in (*LIBRARIES, *SLOW_MODULES)
        if any(name in text for text in tests) or (name in program and name != "pytest")
    )


def plan(folder: str, *, walls: tuple[str, ...], libraries: tuple[str, ...]) -> dict[str, Any]:
    """What a zygote reads as its argument. folder: where it works when it cannot have a file system of its own."""
    places = {name: place for name in libraries if name in LIBRARIES and (place := _place(name))}
    folders = [os.path.join(place, folder) for name, place in places.items() for folder in LIBRARIES[name]]
    standard = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")}
    real = {os.path.realpath(path) for path in standard}
    hidden = {os.path.join(path, name) for path in standard | real for name in ("site-packages", "dist-packages")}
    return {
        "folder": folder,
        "walls": walls,
        "libraries": [name for name in libraries if name in places or name in SLOW_MODULES],
        "import_from": sorted(set(places.values())),
        "readable": sorted({*standard, *real, *ZONES, *folders}),
        "hidden": sorted(path for path in hidden if os.path.isdir(path)),
    }


@cache
def _place(name: str) -> str | None:
    """The folder that holds an installed library, found without importing it."""
    module = sys.modules.get(name)
    origin = getattr(module, "__file__", None) if module else None
    if origin is None:
        spec = importlib.util.find_spec(name)
        origin = spec.origin if spec else None
    return os.path.dirname(os.path.dirname(os.path.abspath(origin))) if origin else None
