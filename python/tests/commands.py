"""The package's commands, which need not be on the path: under a sanitizer the package is not installed."""

from __future__ import annotations

import sys

CONTROL = [sys.executable, "-c", "from vdbx._commands import vdbctl; vdbctl()"]
