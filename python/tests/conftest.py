"""Databases for tests, each in a folder of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

import vdbx

settings.register_profile("vdbx", database=None, print_blob=True)
settings.load_profile("vdbx")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="random comparisons at full length: minutes, not seconds")


@pytest.fixture
def full(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--full"))


@pytest.fixture
def db(tmp_path: Path) -> Iterator[vdbx.Database]:
    with vdbx.open(tmp_path / "test.vdb", sync=False) as database:
        yield database


@pytest.fixture
def notes(db: vdbx.Database) -> vdbx.Collection:
    """Three records of three dimensions."""
    collection = db.collection("notes", dim=3)
    collection.upsert(
        ["a", "b", "c"],
        [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        [
            {"year": 2016, "lang": "en", "tags": ["x", "y"]},
            {"year": 2012, "lang": "de", "tags": ["y"]},
            {"year": 1996, "author": {"name": "Ada"}},
        ],
    )
    return collection


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)
