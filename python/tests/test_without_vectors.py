"""Records without a vector, payloads that change while vectors stay, and dimensions that come with the first vector."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vdbx
from vdbx import F


def vector(notes: vdbx.Collection, id: str) -> Any:
    record = notes.get(id, vectors=True)
    assert record is not None
    return None if record.vector is None else record.vector.tolist()


# Records without a vector


def test_records_without_a_vector_are_there_and_never_hits(notes: vdbx.Collection) -> None:
    assert notes.upsert(["n", "m"], payloads=[{"year": 2020}, {"year": 2021}], vectors=False) == ["n", "m"]
    assert len(notes) == 5 and "n" in notes
    assert notes["n"].payload == {"year": 2020} and vector(notes, "n") is None
    assert notes.count(F.year >= 2020) == 2
    scanned = {record.id: record.vector is None for record in notes.scan(vectors=True)}
    assert scanned == {"a": False, "b": False, "c": False, "n": True, "m": True}
    result = notes.search([1, 0, 0], k=10, vectors=True)
    assert sorted(result.ids) == ["a", "b", "c"] and result.complete and result.to_numpy().shape == (3, 3)
    assert notes.search([1, 0, 0], filter="year >= 2020").ids == []
    notes.upsert("n", [1, 1, 1])
    assert "n" in notes.search([1, 1, 1], k=1).ids
    notes.upsert("n", vectors=False)
    assert vector(notes, "n") is None and notes["n"].payload == {}


def test_texts_may_be_stored_without_a_vector(notes: vdbx.Collection) -> None:
    [id] = notes.upsert(texts="as it is", vectors=False)
    assert notes[id].text == "as it is" and vector(notes, id) is None


@pytest.mark.parametrize(
    "arguments, problem",
    [
        ({"ids": "a", "payloads": {"year": 1}}, "neither vectors nor texts; update changes payloads, vectors=False"),
        ({"ids": "a"}, "neither vectors nor texts"),
        ({"ids": "a", "vectors": True}, "vectors is True; wanted an array, or False"),
        ({"payloads": {"year": 1}, "vectors": False}, "records without ids"),
        ({"ids": ["a", "b"], "payloads": [{}], "vectors": False}, "2 ids and 1 payloads"),
    ],
)
def test_a_vector_is_not_dropped_by_accident(notes: vdbx.Collection, arguments: Any, problem: str) -> None:
    with pytest.raises(vdbx.InvalidArgumentError, match=problem):
        notes.upsert(**arguments)
    with notes.database.write() as batch, pytest.raises(vdbx.InvalidArgumentError, match=problem):
        batch.upsert(notes, **arguments)
    assert vector(notes, "a") == [1, 0, 0] and notes["a"]["year"] == 2016


def test_a_bad_row_among_many_without_vectors_changes_nothing(notes: vdbx.Collection) -> None:
    payloads: list[Any] = [{"n": i} for i in range(25)]
    payloads[20] = {"n": {"deep": float("nan")}}
    with pytest.raises(vdbx.InvalidArgumentError, match="row 20: n.deep"):
        notes.upsert([f"{i}" for i in range(25)], payloads=payloads, vectors=False, batch_size=10)
    assert len(notes) == 3


def test_a_batch_of_records_with_and_without(db: vdbx.Database, notes: vdbx.Collection) -> None:
    def ones(texts: list[str]) -> Any:
        return np.ones((len(texts), 2))

    texts = db.collection("texts", embed=ones)
    with db.write() as batch:
        batch.upsert(notes, "n", payloads={"year": 1}, vectors=False)
        batch.upsert(notes, ["o"], [[0, 0, 1]])
        batch.upsert(texts, texts=["x", "y"], payloads=[{"n": 1}, {"n": 2}])
        assert len(batch) == 4 and len(notes) == 3
    assert vector(notes, "n") is None and vector(notes, "o") == [0, 0, 1]
    assert sorted(hit["n"] for hit in texts.search("x")) == [1, 2]


# The dimension


def test_the_first_vector_sets_the_dimension(tmp_path: Path) -> None:
    with vdbx.open(tmp_path / "d.vdb", sync=False) as db:
        notes = db.collection("notes")
        assert notes.dim == 0 and notes.metric == "cosine"
        for query in ([1.0, 2.0], [1.0, 2.0, 3.0], vdbx.Id("n")):
            notes.upsert("n", vectors=False)
            if not isinstance(query, vdbx.Id):
                assert notes.search(query).ids == [] and notes.search(query).complete
        assert [len(result) for result in notes.search_batch([[1, 2], [3, 4]])] == [0, 0]
        with pytest.raises(vdbx.InvalidArgumentError, match="no dim before its first vector, which sets it; 3 was asked"):
            db.collection("notes", dim=3)
        notes.upsert("a", [1, 2])
        assert notes.dim == db.collection("notes", dim=2).dim == 2
        with pytest.raises(vdbx.InvalidArgumentError, match="have 3 components; this collection stores 2"):
            notes.upsert("b", [1, 2, 3])
    with vdbx.open(tmp_path / "d.vdb") as db:
        assert db.collection("notes").dim == 2 and db.collection("notes").search([1, 2]).ids == ["a"]


def test_bad_first_vectors_set_nothing(db: vdbx.Database) -> None:
    notes = db.collection("notes")
    for vectors, problem in (
        ([1, float("nan")], "row 0: vector component 1 is NaN"),
        ([[0, 0]], "row 0: the vector is all zeros"),
        (np.ones((1, 65_536)), "65536 components"),
        (np.ones((1, 0)), "0 components"),
    ):
        with pytest.raises(vdbx.InvalidArgumentError, match=problem):
            notes.upsert(["a"], vectors)
    assert notes.dim == 0 and len(notes) == 0


def test_threads_agree_on_the_first_dimension(db: vdbx.Database) -> None:
    for turn in range(10):
        notes = db.collection(f"c{turn}", metric="l2")
        barrier = threading.Barrier(4)
        outcomes: list[Any] = []

        def write(dim: int) -> None:
            barrier.wait()
            try:
                notes.upsert(f"{dim}", [1.0] * dim)
                outcomes.append(dim)
            except vdbx.InvalidArgumentError:
                outcomes.append(None)

        threads = [threading.Thread(target=write, args=(dim,)) for dim in (2, 3, 4, 5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert outcomes.count(None) == 3 and notes.dim in outcomes and len(notes) == 1


# Update


def test_update_merges_and_keeps_vectors(notes: vdbx.Collection) -> None:
    assert notes.update("a", {"year": 2017, "lang": None, "author": {"name": "Bo"}}) == 1
    assert notes["a"].payload == {"year": 2017, "tags": ["x", "y"], "author": {"name": "Bo"}}
    assert vector(notes, "a") == [1, 0, 0]
    assert notes.update("a", {"author": {"born": 1970}}) == 1
    assert notes["a"]["author"] == {"name": "Bo", "born": 1970}
    assert notes.search([1, 0, 0], k=1, filter="author.born = 1970").ids == ["a"]


def test_update_one_each_or_one_for_all(notes: vdbx.Collection) -> None:
    assert notes.update(["a", "nowhere", "c"], [{"n": 1}, {"n": 2}, {"n": 3}]) == 2
    assert (notes["a"]["n"], notes["c"]["n"]) == (1, 3) and "nowhere" not in notes and "n" not in notes["b"]
    assert notes.update(["a", "b"], {"n": 5}) == 2
    assert notes.count("n = 5") == 2
    assert notes.update([], {"n": 6}) == 0 and notes.update([], []) == 0


def test_update_replaces(notes: vdbx.Collection) -> None:
    assert notes.update("a", {"n": 1}, merge=False) == 1
    assert notes["a"].payload == {"n": 1} and vector(notes, "a") == [1, 0, 0]


def test_update_by_filter(notes: vdbx.Collection) -> None:
    notes.upsert("n", payloads={"year": 1990}, vectors=False)
    assert notes.update(filter="year < ?", params=[2000], payloads={"old": True, "at": np.int64(5)}) == 2
    assert sorted(record.id for record in notes.scan(F.old == True)) == ["c", "n"]  # noqa: E712
    assert vector(notes, "c") == [0, 0, 1] and vector(notes, "n") is None
    assert notes.update(filter=F.old == True, payloads={}, merge=False) == 2  # noqa: E712
    assert notes["c"].payload == {} and notes.count(F.old.is_not_null()) == 0


@pytest.mark.parametrize(
    "arguments, problem",
    [
        ({}, "wants ids or a filter"),
        ({"ids": "a", "filter": "TRUE", "payloads": {}}, "wants ids or a filter"),
        ({"ids": "a"}, "no payloads"),
        ({"ids": ["a", "b"], "payloads": [{}]}, "2 ids and 1 payloads"),
        ({"ids": ["a"], "payloads": {}, "params": [1]}, "params without a filter"),
        ({"filter": "  ", "payloads": {}}, "filter of update is empty"),
        ({"filter": "year >", "payloads": {}}, "column 7"),
        ({"filter": "TRUE", "payloads": [{}]}, "wanted one dict for all"),
        ({"ids": ["a", "b"], "payloads": [{}, 5]}, "row 1: the payload is of type int"),
        ({"ids": ["a", "b"], "payloads": [{"n": 9}, {"n": {"x": b""}}]}, "row 1: n.x"),
        ({"ids": ["a", 5], "payloads": {"n": 9}}, "id 1 is of type int"),
        ({"ids": ["a", ""], "payloads": {"n": 9}}, "id has 0 bytes"),
        ({"filter": "TRUE", "payloads": {"n": float("inf")}}, "n: infinity has no place"),
    ],
)
def test_a_bad_update_changes_nothing(notes: vdbx.Collection, arguments: Any, problem: str) -> None:
    with pytest.raises(vdbx.InvalidArgumentError, match=problem):
        notes.update(**arguments)
    assert notes.count(F.n.is_not_null()) == 0


def test_updates_beside_each_other_lose_nothing(notes: vdbx.Collection) -> None:
    def set_own(number: int) -> None:
        for turn in range(25):
            notes.update("a", {f"n{number}": turn})

    threads = [threading.Thread(target=set_own, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [notes["a"][f"n{number}"] for number in range(4)] == [24] * 4
