"""What Python wrote, vdbctl answers in the same way, and the other way round."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vdbx
from commands import CONTROL
from vdbx import F


def vdbctl(command: str, path: str, *words: str) -> Any:
    done = subprocess.run(
        [*CONTROL, command, path, "notes", "--json", *words], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def ones(texts: list[str]) -> Any:
    return np.array([[1.0, len(text)] for text in texts])


@pytest.fixture
def path(tmp_path: Path) -> str:
    with vdbx.open(tmp_path / "same.vdb", sync=False) as db:
        notes = db.collection("notes", metric="l2", embed=ones)
        payloads = [{"lang": "en", "year": 2016, "tags": ["x", "y"]}, {"lang": "de", "tags": ["y"]}, {"lang": "EN"}]
        notes.upsert(["doc/1", "doc/2", "o"], [[1, 2], [3, 4], [5, 6]], payloads)
        notes.upsert("n", payloads={"lang": "en"}, vectors=False)
        notes.search("a text")
        return db.path


def test_searches(path: str) -> None:
    with vdbx.open(path, read_only=True) as db:
        notes = db.collection("notes")
        for radius, filter, params in (
            (10, "$id LIKE ?", ["%oc%"]),
            (0.5, "$id IN ?", [["doc/1", "doc/2"]]),
            (1000, "lang ILIKE ?", ["EN"]),
        ):
            mine = notes.search([1, 2], radius=radius, filter=filter, params=params)
            words = ["--radius", f"{radius}", "--filter", filter.replace("?", "$1"), "--bind", json.dumps(params[0])]
            theirs = vdbctl("search", path, "--vector", "[1, 2]", *words)
            assert theirs["hits"] == [{"id": h.id, "distance": h.distance, "payload": h.payload} for h in mine]
            assert (theirs["exact"], theirs["complete"], theirs["matches"]) == (mine.exact, mine.complete, mine.matches)


def test_facets_counts_and_the_document(path: str) -> None:
    with vdbx.open(path, read_only=True) as db:
        notes = db.collection("notes")
        for name in ("lang", "tags", "year", "$id"):
            mine = notes.facets(name)
            theirs = vdbctl("facets", path, name)
            assert [(facet["value"], facet["count"]) for facet in theirs["values"]] == list(mine)
            assert [theirs[key] for key in ("distinct", "records", "missing", "min", "max")] == [
                mine.distinct, mine.records, mine.missing, mine.min, mine.max
            ]
        assert vdbctl("count", path, "--filter", "$id IN $1", "--bind", '["o", "n"]') == {"count": 2}
        assert notes.count(F["$id"].in_(["o", "n"])) == 2
        assert vdbctl("document", path)["embedding"]["name"] == "ones"


def test_updates_from_either_side(path: str) -> None:
    assert vdbctl("update", path, "--filter", "lang ILIKE 'en'", "--payload", '{"seen": true, "tags": null}') == {"updated": 3}
    with vdbx.open(path) as db:
        notes = db.collection("notes")
        assert notes["doc/1"].payload == {"lang": "en", "year": 2016, "seen": True}
        assert notes.update(filter=F.seen == True, payloads={"seen": None, "n": 5}) == 3  # noqa: E712
    assert vdbctl("get", path, "n")["payload"] == {"lang": "en", "n": 5}


def test_copies_from_either_side(path: str, tmp_path: Path) -> None:
    with vdbx.open(path) as db:
        db.checkpoint(tmp_path / "mine.vdb")
    command = [*CONTROL, "checkpoint", path, tmp_path / "theirs.vdb"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    with vdbx.open(tmp_path / "theirs.vdb", read_only=True) as db:
        assert len(db.collection("notes")) == vdbctl("count", str(tmp_path / "mine.vdb"))["count"] == 4


def test_vdbctl_reads_beside_read_only_python_and_is_refused_beside_a_writer(path: str) -> None:
    with vdbx.open(path, read_only=True):
        assert vdbctl("count", path) == {"count": 4}
    with vdbx.open(path):
        done = subprocess.run([*CONTROL, "count", path, "notes"], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 5 and "Close it there, or open it read-only" in done.stderr
