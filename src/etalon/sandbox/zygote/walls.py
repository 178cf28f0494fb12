"""The walls around programs: built once by the zygote, closed by each program behind itself. Standard library only.

    zygote    namespaces -> user without rights -> no new privileges, unreadable memory -> seccomp
    program   Landlock -> seccomp, shorter

Each wall stands on its own: one that the kernel refuses is left out and named, with the reason, in `missing`.
"""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from etalon.sandbox.zygote import landlock, namespaces, privileges, seccomp, syscalls
else:  # sibling files of the zygote, see forkserver
    import landlock
    import namespaces
    import privileges
    import seccomp
    import syscalls

_syscall = ctypes.PyDLL(None).syscall
SYSTEM_LIBRARIES = ("/lib", "/usr/lib", "/lib64", "/usr/lib64")


class Walls:
    """folder: where programs work. first: the process that inherits orphans, 0 when the zygote does."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.folder, self.first = plan["folder"], 0
        self.missing: dict[str, str] = {}
        self._plan, self._rules = plan, -1
        self._readable = [*plan["readable"], *_loaded_libraries(plan["readable"])]
        self._program: seccomp.Filter | None = None
        self._restrict: tuple[ctypes.c_long, ...] | None = None
        proc = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY)
        self._enter_namespaces()
        if "files" in self.missing:
            os.mkdir(self.folder, 0o711)  # programs may run as another user
        privileges.drop(self.folder, proc)
        self.proc = proc
        self._try("landlock", self._make_rules)
        for option, value in ((syscalls.PR_SET_NO_NEW_PRIVS, 1), (syscalls.PR_SET_DUMPABLE, 0)):
            syscalls.prctl(option, value)
        self._try("seccomp", self._load_filter)

    @property
    def can_fork(self) -> bool:
        """Whether a program may leave processes behind."""
        return self._program is None

    def _try(self, name: str, build: Any, *names: str) -> None:
        try:
            if name not in self._plan["walls"]:
                raise OSError(0, "switched off")
            build()
        except OSError as error:
            for each in names or (name,):
                self.missing[each] = error.strerror or str(error)

    def _enter_namespaces(self) -> None:
        self._try("files", namespaces.unshare, "files", "network", "processes")
        if not self.missing:
            self._try("files", self._enter_root)

    def _enter_root(self) -> None:
        failure: OSError | None = None
        try:
            namespaces.build_root(self._readable, self._plan["hidden"])
        except OSError as error:
            failure = error
        try:
            self.first = namespaces.start_first(has_root=failure is None)
        except namespaces.FirstProcessError as error:
            if error.pid < 0:
                raise RuntimeError("no process in the new namespace") from error
            self.first, failure = error.pid, error
        if failure is not None:
            namespaces.leave_root()
            raise failure
        namespaces.enter_root()
        self.folder = namespaces.BOX

    def _make_rules(self) -> None:
        landlock.version()

    def set_folder(self, folder: str) -> None:
        """Where the next programs may write."""
        if "landlock" in self.missing:
            return
        if self._rules >= 0:
            os.close(self._rules)
        hidden = [] if "files" not in self.missing else self._plan["hidden"]
        self._rules = landlock.create(_without(self._readable, hidden), folder)
        self._restrict = landlock.restriction(self._rules)

    def _load_filter(self) -> None:
        seccomp.zygote_filter().load()
        self._program = seccomp.program_filter()

    def close_files(self) -> None:
        """In a child: no more files. Raises OSError."""
        if self._restrict is not None and _syscall(*self._restrict) != 0:
            raise OSError("landlock refuses")

    def close_calls(self) -> None:
        """In a child: from here on everything is untrusted, and may signal nobody but itself. Raises OSError."""
        if self._program is not None:
            self._program.load()


def _loaded_libraries(readable: list[str]) -> list[str]:
    """Where the shared libraries of this process are: system folders as a whole, other files one by one."""
    found = set()
    with open("/proc/self/maps") as maps:
        for line in maps:
            path = line.split(maxsplit=5)[5].strip() if line.count("/") else ""
            if ".so" not in path or any(path.startswith(f"{folder}/") for folder in readable):
                continue
            folder = os.path.dirname(path)
            is_system = folder.startswith(SYSTEM_LIBRARIES) and (folder in SYSTEM_LIBRARIES[2:] or "linux" in folder)
            found.add(folder if is_system else path)
    return sorted(found | {folder.removeprefix("/usr") for folder in found if folder.startswith("/usr/lib")})


def _without(readable: list[str], hidden: list[str]) -> list[str]:
    """The paths, with folders that contain a hidden one replaced by what else is in them."""
    kept = []
    for path in readable:
        inside = [name for name in hidden if name.startswith(f"{path}/")]
        if path in hidden:
            continue
        if not inside:
            kept.append(path)
        elif os.path.isdir(path):
            kept += _without([f"{path}/{name}" for name in sorted(os.listdir(path))], inside)
    return kept
