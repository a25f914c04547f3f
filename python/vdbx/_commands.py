"""The commands vdbctl and vdb-load, which the package carries as programs."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def _run(name: str) -> None:
    program = Path(__file__).parent / "bin" / name
    os.execv(program, [str(program), *sys.argv[1:]])


def vdbctl() -> None:
    _run("vdbctl")


def vdb_load() -> None:
    _run("vdb-load")
