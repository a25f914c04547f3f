"""What a collection is made with, and what does not fit one that is there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import vdbx

BAD: dict[str, dict[str, Any]] = {
    "dim is 70000": {"dim": 70_000},
    "metric 'manhattan'; wanted cosine, l2 or ip": {"dim": 3, "metric": "manhattan"},
    "m is 1": {"dim": 3, "m": 1},
    "ef_construction is 100000": {"dim": 3, "ef_construction": 100_000},
    "codes 'int4'; wanted auto, int8 or float32": {"dim": 3, "codes": "int4"},
    "wanted a function of a list of texts": {"embed": 5},
}


@pytest.mark.parametrize("problem", BAD)
def test_bad_options(db: vdbx.Database, problem: str) -> None:
    with pytest.raises(vdbx.InvalidArgumentError, match=problem):
        db.collection("bad", **BAD[problem])
    assert db.collections() == []


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "ü", "x" * 129])
def test_bad_names(db: vdbx.Database, name: str) -> None:
    with pytest.raises(vdbx.InvalidArgumentError, match="name"):
        db.collection(name, dim=3)


@pytest.mark.parametrize("option, value", [("dim", 4), ("metric", "l2"), ("m", 8), ("ef_construction", 10), ("codes", "int8")])
def test_an_existing_collection_keeps_its_options(notes: vdbx.Collection, option: str, value: Any) -> None:
    with pytest.raises(vdbx.InvalidArgumentError, match=f"has {option} .*; {value} was asked for"):
        notes.database.collection("notes", **{option: value})
    assert notes.database.collection("notes", dim=3, metric="cosine", m=16, ef_construction=200, codes="auto").dim == 3


@pytest.mark.parametrize("k, ef", [(0, None), (65_537, None), (10, 5), (10, 70_000)])
def test_bad_search_sizes(notes: vdbx.Collection, k: int, ef: int | None) -> None:
    with pytest.raises(vdbx.InvalidArgumentError, match="k is|ef is"):
        notes.search([1, 0, 0], k=k, ef=ef)


def test_unknown_keywords_are_refused(notes: vdbx.Collection) -> None:
    for call in (
        lambda: notes.search([1, 0, 0], where="x"),  # type: ignore[call-arg]
        lambda: notes.search_batch([[1, 0, 0]], where="x"),  # type: ignore[call-arg]
        lambda: notes.explain([1, 0, 0], n_results=3),  # type: ignore[call-arg]
        lambda: notes.upsert("a", [1, 0, 0], metadatas=[{}]),  # type: ignore[call-arg]
        lambda: notes.database.collection("x", dim=3, ef=5),  # type: ignore[call-arg]
    ):
        with pytest.raises(TypeError, match="unexpected keyword"):
            call()


class Model:
    def __init__(self, rows: Any) -> None:
        self.rows = rows
        self.name = "a model"
        self.dim = 3

    def __call__(self, texts: list[str]) -> Any:
        return self.rows if len(texts) > 1 else np.ones((1, 3))


@pytest.mark.parametrize(
    "rows, error, problem",
    [
        (np.ones((1, 3)), vdbx.InvalidArgumentError, r"a model made an array of shape \(1, 3\) for 2 texts"),
        (np.ones(3), vdbx.InvalidArgumentError, r"shape \(3,\) for 2 texts"),
        ([["a"], ["b"]], vdbx.InvalidArgumentError, "a model made are of type"),
        (None, vdbx.InvalidArgumentError, "a model made"),
        (np.ones((2, 4)), vdbx.EmbeddingMismatchError, "made vectors of 4 components; the collection stores 3"),
        (np.full((2, 3), np.nan), vdbx.InvalidArgumentError, "row 0: vector component 0 is NaN"),
    ],
)
def test_an_embedding_that_misbehaves_changes_nothing(
    db: vdbx.Database, rows: Any, error: type[Exception], problem: str
) -> None:
    notes = db.collection("m", embed=Model(rows))
    with pytest.raises(error, match=problem):
        notes.upsert(texts=["x", "y"])
    assert len(notes) == 0


def test_another_models_dimension_is_refused_at_once(notes: vdbx.Collection) -> None:
    def four(texts: list[str]) -> Any:
        return np.ones((len(texts), 4))

    with pytest.raises(vdbx.EmbeddingMismatchError, match="stores 3 components; .*four makes 4"):
        notes.database.collection("notes", embed=four)
