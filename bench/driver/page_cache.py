"""The page cache: empties it of a folder's files, and tells what of them it still holds."""

from __future__ import annotations

import ctypes
import mmap
import os
import pathlib

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mincore.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p)


def evict(folder: pathlib.Path) -> bool:
    """Whether no page is left. Pages that a process has mapped stay, and files in memory (tmpfs) have no other place."""
    files = [file for file in folder.rglob("*") if file.is_file() and file.stat().st_size > 0]
    for file in files:
        descriptor = os.open(file, os.O_RDONLY)
        try:
            os.fsync(descriptor)  # what was not written yet would stay
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)
    return not any(resident_pages(file) for file in files)


def resident_pages(file: pathlib.Path) -> int:
    """By mincore(2), which the file's owner may ask."""
    with open(file, "rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_COPY) as mapping:
        pages = ctypes.create_string_buffer((len(mapping) + mmap.PAGESIZE - 1) // mmap.PAGESIZE)
        first = ctypes.c_char.from_buffer(mapping)
        status = _libc.mincore(ctypes.addressof(first), len(mapping), pages)
        del first  # the mapping cannot be closed before
        if status != 0:
            raise OSError(ctypes.get_errno(), f"mincore of {file} failed")
        return sum(page & 1 for page in pages.raw)
