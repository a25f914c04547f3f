"""Memory of a process and of those that it started, from /proc/PID/smaps; bytes on disk."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import re

MAPPING = re.compile(r"^[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \d+ *(.*)$")


@dataclasses.dataclass
class Memory:
    anonymous: int = 0
    huge_pages: int = 0  # of the anonymous
    files: dict[str, int] = dataclasses.field(default_factory=dict)  # resident pages of mapped files
    libraries: int = 0  # resident pages of programs and libraries

    @property
    def mapped(self) -> int:
        return sum(self.files.values())


def processes_of(pid: int) -> list[int]:
    """The process and all below it."""
    found = [pid]
    for process in found:
        for task in pathlib.Path(f"/proc/{process}/task").glob("*/children"):
            with contextlib.suppress(OSError):  # the thread has ended
                found += [int(child) for child in task.read_text().split()]
    return found


def memory_of(pid: int, folder: pathlib.Path) -> Memory:
    """Files in the folder are named by their paths within it."""
    memory = Memory()
    for process in processes_of(pid):
        try:
            lines = pathlib.Path(f"/proc/{process}/smaps").read_text().splitlines()
        except OSError:
            continue  # it has ended
        name, resident = "", 0
        for line in lines:
            if mapping := MAPPING.match(line):
                name = mapping[1]
                continue
            key, _, value = line.partition(":")
            if key == "Rss":
                resident = 1024 * int(value.split()[0])
            elif key == "Anonymous":
                anonymous = 1024 * int(value.split()[0])
                memory.anonymous += anonymous
                add_file(memory, name, resident - anonymous, folder)
            elif key == "AnonHugePages":
                memory.huge_pages += 1024 * int(value.split()[0])
    return memory


def add_file(memory: Memory, name: str, resident: int, folder: pathlib.Path) -> None:
    if not name.startswith("/") or resident == 0:
        return
    if name.startswith(("/memfd:", "/dev/zero", "/dev/shm/")):  # memory of the process under a name
        memory.anonymous += resident
        return
    path = pathlib.Path(name.removesuffix(" (deleted)"))
    if folder in path.parents:
        kept = str(path.relative_to(folder))
        memory.files[kept] = memory.files.get(kept, 0) + resident
    else:
        memory.libraries += resident


def available_bytes() -> int:
    """What can be taken without swapping or killing."""
    for line in pathlib.Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return 1024 * int(line.split()[1])
    raise OSError("/proc/meminfo has no MemAvailable")


def disk_bytes(folder: pathlib.Path) -> int:
    return sum(file.stat().st_blocks * 512 for file in folder.rglob("*") if file.is_file())
