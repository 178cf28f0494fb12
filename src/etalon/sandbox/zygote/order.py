"""What travels between the pool and a zygote: one order per program, one reply. Standard library only; both import it.

order: a head of fixed size (the fields of Order in words), then the parts: a line of sizes, that many bytes each
parts: the program, then by mode
    stdin   inputs
    call    set-up code, the function's name, inputs
    assert  the checks, and a word if the program may use the names of starter code
reply: one line (the fields of Ended in words), the control lines, the output
"""

from __future__ import annotations

from typing import NamedTuple

HEAD_BYTES = 192  # one write of this size to a pipe is never split, see pipe(7)
CONTROL_BYTES = 4096  # (ours) longest control line; what is cut off is no JSON
OUR_CRASH = 70  # exit status of a child that failed where only our code runs


class Order(NamedTuple):
    """One program, its limits, and the sizes of what follows. file_bytes: the most that a file may hold."""

    mode: str
    num_tests: int
    pause_after: int
    cpu_seconds: float
    idle_seconds: float
    wall_seconds: float
    memory_bytes: int
    file_bytes: int
    parts_bytes: int


class Ended(NamedTuple):
    """How a child ended. cpu_seconds: once per mark, see watch.

    killed_for: "-", "timeout", "nonsense", "full" or "orphan".
    """

    killed_for: str
    exit_status: int
    max_rss_bytes: int
    control_bytes: int
    output_bytes: int
    marks: tuple[tuple[int, float], ...]


def pack_order(order: Order) -> bytes:
    return " ".join(map(str, order)).encode().ljust(HEAD_BYTES)


def unpack_order(head: bytes) -> Order:
    mode, num_tests, pause, cpu, idle, wall, memory, file, parts = head.split()
    return Order(
        mode=mode.decode(),
        num_tests=int(num_tests),
        pause_after=int(pause),
        cpu_seconds=float(cpu),
        idle_seconds=float(idle),
        wall_seconds=float(wall),
        memory_bytes=int(memory),
        file_bytes=int(file),
        parts_bytes=int(parts),
    )


def unpack_ended(line: bytes) -> Ended:
    killed_for, status, rss, control, output, *marks = line.decode().split()
    return Ended(
        killed_for=killed_for,
        exit_status=int(status),
        max_rss_bytes=int(rss),
        control_bytes=int(control),
        output_bytes=int(output),
        marks=tuple((int(lines), float(cpu)) for lines, cpu in zip(marks[::2], marks[1::2], strict=True)),
    )


def pack_parts(*parts: bytes) -> bytes:
    return b" ".join(str(len(part)).encode() for part in parts) + b"\n" + b"".join(parts)


def unpack_parts(packed: bytes) -> list[bytes]:
    sizes, _, content = packed.partition(b"\n")
    parts, start = [], 0
    for size in sizes.split():
        parts.append(content[start : start + int(size)])
        start += int(size)
    return parts
