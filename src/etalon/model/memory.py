"""Memory of this machine, or of the container that this process is held in: all of it, and what is free."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

CGROUPS = Path("/sys/fs/cgroup")
PROC = Path("/proc")
V1_LIMITS = ("memory.limit_in_bytes", "memory.usage_in_bytes")
V2_LIMITS = ("memory.max", "memory.current")


def memory_bytes(*, proc: Path = PROC, cgroups: Path = CGROUPS) -> int:
    """Memory that this process may have with all others beside it: the machine's, or the least of its containers'."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([machine, *(limit for limit, _ in _containers(proc, cgroups))])


def free_bytes(device: torch.device | None = None, *, proc: Path = PROC, cgroups: Path = CGROUPS) -> int:
    """What can be taken now without anything being ended or swapped; all there is where that cannot be read.

    device: of a GPU its own memory, what torch holds in reserve with it.
    """
    if device is not None and device.type == "cuda":
        import torch

        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + unused
    rooms = [max(0, limit - used) for limit, used in _containers(proc, cgroups)]
    return min([_available(proc / "meminfo"), *rooms])


def _available(meminfo: Path) -> int:
    try:
        lines = meminfo.read_text().splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return memory_bytes()


def _containers(proc: Path, cgroups: Path) -> list[tuple[int, int]]:
    """(limit, bytes in use that could not be given back) of every memory cgroup above this process."""
    try:
        lines = (proc / "self/cgroup").read_text().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        names = V1_LIMITS if controllers else V2_LIMITS
        roots = [cgroups / "memory"] if controllers else [cgroups, cgroups / "unified"]
        for root in roots:
            folder = root / path.lstrip("/")
            for one in [folder, *folder.parents]:
                found += _container(one, names)
                if one == root:
                    break
    return found


def _container(folder: Path, names: tuple[str, str]) -> list[tuple[int, int]]:
    try:
        limit, used = ((folder / name).read_text().strip() for name in names)
        rows = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return []
    if not limit.isdigit():  # "max": none
        return []
    cache = int(rows.get("total_inactive_file", rows.get("inactive_file", 0)))
    return [(int(limit), max(0, int(used) - cache))]
