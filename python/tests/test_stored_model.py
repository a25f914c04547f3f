"""The model that made a collection's vectors: stored by name and probe, and compared before another is used."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vdbx
from vdbx.embed._protocol import PROBE


class Model:
    """Vectors by the letters of a text, turned by `turn` of a full circle; counts what it is asked."""

    def __init__(self, name: str = "letters", turn: float = 0.0, dim: int | None = None) -> None:
        self.name = name
        self.asked: list[str] = []
        angle = 2 * np.pi * turn
        self._rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        if dim:
            self.dim = dim

    def __call__(self, texts: list[str]) -> Any:
        self.asked.extend(texts)
        return np.array([[1.0 + text.count("a"), 1.0 + text.count("b")] for text in texts]) @ self._rotation


def stored(notes: vdbx.Collection) -> Any:
    return json.loads(notes._core.document()).get("embedding")


def test_the_first_model_used_is_stored(db: vdbx.Database) -> None:
    notes = db.collection("notes", embed=Model())
    assert stored(notes) is None
    notes.upsert(texts=["aaa"])
    kept = stored(notes)
    assert kept["name"] == "letters" and kept["dim"] == 2
    np.testing.assert_allclose(kept["probe"], Model()([PROBE])[0], rtol=1e-4)


def test_other_members_of_the_document_stay(db: vdbx.Database) -> None:
    notes = db.collection("notes", embed=Model())
    notes._core.set_document('{"owner": "Ada", "embedding": "not one of ours"}')
    notes.upsert(texts=["a"])
    assert json.loads(notes._core.document())["owner"] == "Ada" and stored(notes)["name"] == "letters"


def test_the_same_model_goes_on(tmp_path: Path) -> None:
    with vdbx.open(tmp_path / "m.vdb") as db:
        db.collection("notes", embed=Model()).upsert(texts=["aaa", "bbb"])
    with vdbx.open(tmp_path / "m.vdb") as db:
        model = Model(turn=0.01)  # cosine 0.998: another processor
        notes = db.collection("notes", embed=model)
        assert model.asked == []  # opening asks nothing: an endpoint may be down
        assert notes.search("aaaa", k=1)[0].text == "aaa"
        notes.upsert(texts=["ab"])
        notes.search("b")
        assert model.asked == [PROBE, "aaaa", "ab", "b"]


def test_another_name_is_refused_at_once(db: vdbx.Database) -> None:
    db.collection("notes", embed=Model()).upsert(texts=["aaa"])
    with pytest.raises(vdbx.EmbeddingMismatchError, match=r"made by letters; words was given. If it is the same model"):
        db.collection("notes", embed=Model("words"))


USES: list[Callable[[vdbx.Collection], object]] = [
    lambda notes: notes.upsert(texts=["bbb"]),
    lambda notes: notes.search("bbb"),
    lambda notes: notes.search_batch(["bbb"]),
    lambda notes: notes.explain("bbb"),
    lambda notes: notes.upsert_rows([{"say": "bbb"}], text="say"),
    lambda notes: notes.database.write().upsert(notes, texts=["bbb"]),
]


@pytest.mark.parametrize("use", USES)
def test_another_model_of_that_name_is_refused_before_the_first_row(
    db: vdbx.Database, use: Callable[[vdbx.Collection], object]
) -> None:
    db.collection("notes", embed=Model()).upsert(texts=["aaa"])
    notes = db.collection("notes", embed=Model(turn=0.05))
    for _ in range(2):  # the second time, too
        with pytest.raises(vdbx.EmbeddingMismatchError, match=r"cosine of both vectors of one text is 0\.95"):
            use(notes)
    assert len(notes) == 1 and stored(notes)["name"] == "letters"


def test_another_dimension_is_refused_at_once(db: vdbx.Database) -> None:
    db.collection("notes", embed=Model()).upsert(texts=["aaa"])
    with pytest.raises(vdbx.EmbeddingMismatchError, match="stores 2 components; letters makes 5"):
        db.collection("notes", embed=Model(dim=5))


def test_vectors_of_ones_own_take_the_first_model_of_their_dimension(db: vdbx.Database) -> None:
    own = db.collection("notes")
    own.upsert("a", [3, 1])
    notes = db.collection("notes", embed=Model())
    assert notes.search("aa").ids == ["a"] and stored(notes)["name"] == "letters"
    with pytest.raises(vdbx.EmbeddingMismatchError, match="made by letters"):
        db.collection("notes", embed=Model("words"))


def test_an_empty_collection_takes_another_model(db: vdbx.Database) -> None:
    notes = db.collection("notes", embed=Model())
    with pytest.raises(vdbx.InvalidArgumentError):
        notes.upsert(texts=["a"], payloads=[{"bad": b""}])
    other = db.collection("notes", embed=Model("words", turn=0.25))
    other.upsert(texts=["a"])
    assert stored(other)["name"] == "words"
    with pytest.raises(vdbx.EmbeddingMismatchError):
        db.collection("notes", embed=Model())
    other.delete(filter="TRUE")
    db.collection("notes", embed=Model()).upsert(texts=["a"])
    assert stored(notes)["name"] == "letters"


def test_the_stored_model_outlives_compaction(db: vdbx.Database) -> None:
    notes = db.collection("notes", embed=Model())
    notes.upsert(texts=["a", "b"])
    notes.delete(filter="text = 'a'")
    notes.compact()
    assert stored(notes)["name"] == "letters"
