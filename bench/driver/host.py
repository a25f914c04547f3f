"""What a reader must know of the machine and the tree to compare figures."""

from __future__ import annotations

import os
import pathlib
import platform
import subprocess
from typing import Any

INTERESTING_FLAGS = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "asimd", "asimddp")


def line_of(command: list[str], cwd: pathlib.Path) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)
    except OSError:
        return "unknown"
    return done.stdout.splitlines()[0] if done.stdout else "unknown"


def cpu_info(key: str) -> str:
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as lines:
        return next((line.split(": ", 1)[1].strip() for line in lines if line.startswith(key) and ": " in line), "")


def describe(root: pathlib.Path) -> dict[str, Any]:
    flags = (cpu_info("flags") or cpu_info("Features")).split()
    system = dict(
        line.split("=", 1) for line in pathlib.Path("/etc/os-release").read_text().splitlines() if "=" in line
    )
    pages = pathlib.Path("/sys/kernel/mm/transparent_hugepage/enabled")
    return {
        "cpu": cpu_info("model name") or platform.machine(),
        "cpu_family_model": f"{cpu_info('cpu family')}/{cpu_info('model')}",
        "flags": [flag for flag in INTERESTING_FLAGS if flag in flags],
        "avx512_vnni": "avx512_vnni" in flags,
        "cores": os.cpu_count(),
        "ram_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "os": system.get("PRETTY_NAME", platform.system()).strip('"'),
        "kernel": platform.release(),
        "transparent_hugepages": pages.read_text().strip() if pages.exists() else "none",
        "compiler": line_of(["c++", "--version"], root),
        "python": platform.python_version(),
        "commit": line_of(["git", "describe", "--always", "--dirty"], root),
        "load_average": os.getloadavg()[0],
    }
