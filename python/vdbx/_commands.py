"""The commands vdbctl and vdb-load, which are in the extension module."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence

from vdbx import _core


def _run(command: Callable[[Sequence[bytes]], int], name: str) -> None:
    # As a program does: Python would note the signal and go on, and a closed pipe would be an error.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(command([os.fsencode(word) for word in (name, *sys.argv[1:])]))


def vdbctl() -> None:
    _run(_core.vdbctl, "vdbctl")


def vdb_load() -> None:
    _run(_core.vdb_load, "vdb-load")
