"""Rows of pandas, polars, Arrow and dicts in; results out."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas
import polars
import pyarrow
import pytest

import vdbx

DIM = 4
COUNT = 25
VECTORS = np.random.default_rng(5).random((COUNT, DIM)).astype(np.float32)
DAY = datetime.datetime(2024, 1, 2, tzinfo=datetime.timezone.utc)


def dicts(vectors: Any = VECTORS) -> list[dict[str, Any]]:
    return [
        {
            "id": f"row {i}",
            "vector": vector,
            "n": i,
            "share": None if i % 5 == 0 else i / 4,
            "day": DAY if i % 3 else None,
            "tags": ["a", "b"][: i % 3],
            "text": f"text {i}",
        }
        for i, vector in enumerate(vectors)
    ]


def as_pandas() -> pandas.DataFrame:
    return pandas.DataFrame(dicts(list(VECTORS)))


def as_polars() -> polars.DataFrame:
    return polars.DataFrame(dicts(VECTORS.tolist()))


def as_polars_array() -> polars.DataFrame:
    return as_polars().with_columns(polars.col("vector").cast(polars.Array(polars.Float32, DIM)))


def as_arrow() -> pyarrow.Table:
    return pyarrow.Table.from_pylist(dicts(VECTORS.tolist()))


def as_arrow_fixed() -> pyarrow.Table:
    fixed = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(VECTORS.ravel()), DIM)
    table = as_arrow()
    table = table.set_column(table.column_names.index("vector"), "vector", fixed)
    return pyarrow.concat_tables([table.slice(0, 3), table.slice(3)])  # two chunks


def as_generator() -> Iterator[dict[str, Any]]:
    return iter(dicts())


SOURCES: list[Callable[[], Any]] = [
    dicts, as_pandas, as_polars, as_polars_array, as_arrow, as_arrow_fixed, as_generator
]


@pytest.mark.parametrize("source", SOURCES)
def test_rows_of_every_kind(db: vdbx.Database, source: Callable[[], Any]) -> None:
    notes = db.collection("rows", dim=DIM)
    seen: list[int] = []
    assert notes.upsert_rows(source(), batch_size=10, progress=lambda done, total: seen.append(done)) == COUNT
    assert seen == [10, 20, 25]
    for i, record in enumerate(notes.scan(vectors=True)):
        assert record.id == f"row {i}"
        assert record.vector is not None
        np.testing.assert_array_equal(record.vector, VECTORS[i])
        assert record.payload == {
            "n": i,
            "share": None if i % 5 == 0 else i / 4,
            "day": "2024-01-02T00:00:00+00:00" if i % 3 else None,
            "tags": ["a", "b"][: i % 3],
            "text": f"text {i}",
        }


@pytest.mark.parametrize("source", SOURCES)
def test_a_text_column_is_embedded(db: vdbx.Database, source: Callable[[], Any]) -> None:
    notes = db.collection("texts", embed=lambda texts: [[float(len(text)), 1, 0] for text in texts])
    rows = source()
    if isinstance(rows, (pandas.DataFrame, polars.DataFrame)):
        rows = rows.drop(columns=["vector"]) if isinstance(rows, pandas.DataFrame) else rows.drop("vector")
    elif isinstance(rows, pyarrow.Table):
        rows = rows.drop_columns(["vector"])
    else:
        rows = [{name: value for name, value in row.items() if name != "vector"} for row in rows]
    assert notes.upsert_rows(rows, text="text") == COUNT
    assert notes["row 3"].text == "text 3" and notes["row 3"]["n"] == 3


def test_columns_of_other_names(db: vdbx.Database) -> None:
    notes = db.collection("names", dim=2)
    frame = pandas.DataFrame({"key": ["a"], "embedding": [[1.0, 2.0]], "id": [5]})
    assert notes.upsert_rows(frame, id="key", vector="embedding") == 1
    assert notes["a"].payload == {"id": 5}


def test_an_empty_frame(db: vdbx.Database) -> None:
    notes = db.collection("empty", dim=2)
    assert notes.upsert_rows([]) == 0
    assert notes.upsert_rows(as_pandas().iloc[:0]) == 0
    assert notes.upsert_rows(as_polars().head(0)) == 0
    assert notes.upsert_rows(as_arrow().slice(0, 0)) == 0


BAD: dict[str, Callable[[], Any]] = {
    "there is no column 'vector'": lambda: as_pandas().drop(columns=["vector"]),
    "there is no column 'id'": lambda: as_polars().drop("id"),
    "rows are of type dict": lambda: {"id": "a"},
    "rows are of type str": lambda: "rows",
    "rows are of type int": lambda: 5,
    "row 1 is of type int": lambda: [{"id": "a", "vector": [1] * DIM}, 5],
    "row 1 lacks 'vector'": lambda: [{"id": "a", "vector": [1] * DIM}, {"id": "b"}],
    "wanted rows of equal length": lambda: [{"id": "a", "vector": [1] * DIM}, {"id": "b", "vector": [1]}],
    "'vector' has vectors of different lengths.*4, None": lambda: pyarrow.table(
        {"id": ["a", "b"], "vector": pyarrow.array([[1.0] * DIM, None])}
    ),
    "'vector' has vectors of different lengths": lambda: polars.DataFrame(
        {"id": ["a", "b"], "vector": [[1.0, 2, 3], [1.0, 2, 3, 4, 5]]}
    ),
    "vectors make no array": lambda: pandas.DataFrame({"id": ["a", "b"], "vector": [[1.0, 2], [1.0]]}),
    "row 0: the id is of type int": lambda: pandas.DataFrame({"id": [1, 2], "vector": [[1.0] * DIM] * 2}),
}


@pytest.mark.parametrize("problem", BAD)
def test_bad_rows_change_nothing(db: vdbx.Database, problem: str) -> None:
    notes = db.collection("bad", dim=DIM)
    with pytest.raises(vdbx.InvalidArgumentError, match=problem):
        notes.upsert_rows(BAD[problem]())
    assert len(notes) == 0


def test_results_as_frames(notes: vdbx.Collection) -> None:
    result = notes.search([1, 0.5, 0.1], k=3)
    rows = result.to_list()
    frame = result.to_pandas()
    assert list(frame.columns[:2]) == ["id", "distance"]
    assert frame["id"].tolist() == result.ids and frame["year"].tolist() == [2016, 2012, 1996]
    table = result.to_arrow()
    assert table.column("id").to_pylist() == result.ids
    assert table.column("author").to_pylist() == [None, None, {"name": "Ada"}]
    assert result.to_polars()["lang"].to_list() == ["en", "de", None]
    assert [row["distance"] for row in rows] == table.column("distance").to_pylist()
    nothing = notes.search([1, 0, 0], filter="FALSE")
    assert nothing.to_pandas().shape == (0, 2) and nothing.to_arrow().num_rows == 0 and nothing.to_polars().height == 0


@pytest.mark.parametrize("make", [pandas.DataFrame, polars.DataFrame, pyarrow.Table.from_pylist, list])
def test_rows_without_vectors(db: vdbx.Database, make: Callable[[list[dict[str, Any]]], Any]) -> None:
    notes = db.collection("notes", dim=DIM)
    rows = make([{"id": f"{i}", "n": i} for i in range(5)])
    with pytest.raises(vdbx.InvalidArgumentError, match="no column 'vector'|neither vectors nor texts"):
        notes.upsert_rows(rows)
    assert len(notes) == 0
    assert notes.upsert_rows(rows, vector=None, batch_size=2) == 5
    assert notes["3"].payload == {"n": 3} and notes.search(VECTORS[0]).ids == []
