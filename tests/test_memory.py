"""What memory there is: the machine's, or the container's, read from the files that the kernel keeps."""

from pathlib import Path

import pytest

from etalon.model.memory import free_bytes, memory_bytes

GB = 1 << 30
MEMINFO = f"MemTotal: {64 * GB >> 10} kB\nMemAvailable: {9 * GB >> 10} kB\n"


def kernel(folder: Path, cgroup: str, files: dict[str, str]) -> dict[str, Path]:
    """A /proc and a /sys/fs/cgroup with these files."""
    contents = {"proc/meminfo": MEMINFO, "proc/self/cgroup": cgroup, **{f"cgroup/{n}": t for n, t in files.items()}}
    for name, text in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return {"proc": folder / "proc", "cgroups": folder / "cgroup"}


def test_of_this_machine() -> None:
    assert 0 < free_bytes() <= memory_bytes()


@pytest.mark.parametrize("limit", ["max", str(1 << 50)])
def test_a_container_without_a_limit_is_the_machine(tmp_path: Path, limit: str) -> None:
    where = kernel(tmp_path, "0::/a\n", {"a/memory.max": limit, "a/memory.current": "5", "a/memory.stat": "anon 5\n"})
    assert memory_bytes(**where) == memory_bytes()
    assert free_bytes(**where) == 9 * GB


def test_the_tightest_container_above_the_process_counts_and_its_file_cache_is_free(tmp_path: Path) -> None:
    files = {
        "a/memory.max": str(4 * GB), "a/memory.current": str(3 * GB), "a/memory.stat": f"inactive_file {2 * GB}\n",
        "a/b/memory.max": "max", "a/b/memory.current": "7", "a/b/memory.stat": "anon 7\n",
    }  # fmt: skip
    where = kernel(tmp_path, "0::/a/b\n", files)
    assert memory_bytes(**where) == 4 * GB
    assert free_bytes(**where) == 3 * GB


def test_a_container_of_the_first_version_of_cgroups(tmp_path: Path) -> None:
    files = {
        "memory/box/memory.limit_in_bytes": str(2 * GB), "memory/box/memory.usage_in_bytes": str(GB),
        "memory/box/memory.stat": f"inactive_file 3\ntotal_inactive_file {GB // 2}\n",
    }  # fmt: skip
    where = kernel(tmp_path, "8:pids:/box\n7:cpu,memory:/box\n", files)
    assert (memory_bytes(**where), free_bytes(**where)) == (2 * GB, 3 * GB // 2)


def test_where_nothing_can_be_read_all_memory_is_taken_for_free(tmp_path: Path) -> None:
    assert free_bytes(proc=tmp_path, cgroups=tmp_path) == memory_bytes()
