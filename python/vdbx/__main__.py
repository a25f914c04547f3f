"""python -m vdbx: versions, the distance kernel, and where the native code comes from."""

from __future__ import annotations

import platform
import sys
from importlib import metadata
from pathlib import Path

import numpy as np

import vdbx
from vdbx import _core


def _loaded(name: str) -> str:
    """The path of a loaded shared object whose file name begins so."""
    for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
        path = line.split(maxsplit=5)[-1]
        if Path(path).name.startswith(name):
            return path
    return "linked into the module"


def main() -> None:
    rocksdb = _loaded("librocksdb")
    is_bundled = "vdbx.libs" in rocksdb
    print(f"vdbx      {vdbx.__version__}")
    print(f"kernel    {_core.kernel()}")
    print(f"module    {_core.__file__}")
    print(f"rocksdb   {rocksdb} ({'bundled in the wheel' if is_bundled else 'of the system'})")
    print(f"python    {platform.python_version()} ({sys.executable})")
    print(f"numpy     {np.__version__}")
    print(f"nanobind  backend {metadata.version('nanobind-backend')}, split mode, abi3")
    print(f"platform  {platform.platform()}")


if __name__ == "__main__":
    main()
