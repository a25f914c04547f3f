"""Arrays of every type and layout come back as they were."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import vdbx

Array = npt.NDArray[Any]


def stored(collection: vdbx.Collection, vectors: Any) -> Array:
    ids = [f"{i}" for i in range(len(vectors))]
    collection.upsert(ids, vectors)
    records = collection.get(ids, vectors=True)
    return np.stack([record.vector for record in records if record is not None and record.vector is not None])


@pytest.fixture
def three(db: vdbx.Database) -> vdbx.Collection:
    return db.collection("three", dim=3, metric="l2")


BASE = np.arange(1, 25, dtype=np.float32).reshape(8, 3)
UNALIGNED = np.frombuffer(b"\0" + BASE.tobytes(), dtype=np.uint8)[1:].view(np.float32).reshape(8, 3)
PACKED = np.zeros(8, dtype=[("flag", "i1"), ("v", "<f4", (3,))])
PACKED["v"] = BASE
LAYOUTS = {
    "C": BASE,
    "Fortran": np.asfortranarray(BASE),
    "every other row": np.repeat(BASE, 2, axis=0)[::2],
    "every other column": np.repeat(BASE, 2, axis=1)[:, ::2],
    "rows backwards": BASE[::-1].copy()[::-1],
    "columns backwards": BASE[:, ::-1].copy()[:, ::-1],
    "one row for all": np.broadcast_to(BASE[0], (8, 3)),
    "unaligned": UNALIGNED,
    "packed in records": PACKED["v"],
    "other byte order": BASE.astype(">f4"),
}
LAYOUTS["read-only"] = BASE.copy()
LAYOUTS["read-only"].setflags(write=False)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_every_layout(three: vdbx.Collection, layout: str, dtype: str) -> None:
    array = LAYOUTS[layout]
    if dtype != "f4":
        wide = np.zeros((8, 6), dtype=dtype)[:, ::2]
        wide[:] = array
        array = wide
    np.testing.assert_array_equal(stored(three, array), LAYOUTS[layout])
    np.testing.assert_array_equal(three.search(array[3], k=1, vectors=True)[0].vector, LAYOUTS[layout][3])
    assert three.search_batch(array)[2][0].distance == 0


@pytest.mark.parametrize("dtype", ["i1", "u2", "i4", "u8", np.longdouble])
def test_numbers_of_other_types_are_converted(three: vdbx.Collection, dtype: Any) -> None:
    np.testing.assert_array_equal(stored(three, BASE.astype(dtype)), BASE)


def test_lists_and_rows_of_arrays(three: vdbx.Collection) -> None:
    np.testing.assert_array_equal(stored(three, BASE.tolist()), BASE)
    np.testing.assert_array_equal(stored(three, list(BASE)), BASE)
    rows = np.empty(8, dtype=object)
    rows[:] = list(BASE)
    np.testing.assert_array_equal(stored(three, rows), BASE)


def test_every_half_is_read_exactly(db: vdbx.Database) -> None:
    bits = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    halves = bits[np.isfinite(bits)].reshape(-1, 1)
    one = db.collection("halves", dim=1, metric="l2")
    ids = [f"{i}" for i in range(len(halves))]
    one.upsert(ids, halves, batch_size=10_000)
    vectors = np.concatenate([record.vector for record in one.scan(vectors=True) if record.vector is not None])
    np.testing.assert_array_equal(vectors, halves[:, 0].astype(np.float32))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_round_trip(db: vdbx.Database, data: st.DataObject) -> None:
    dtype = data.draw(hnp.floating_dtypes(sizes=(16, 32, 64)))
    elements = hnp.from_dtype(dtype, min_value=-60_000, max_value=60_000, allow_nan=False, allow_infinity=False)
    array = data.draw(hnp.arrays(dtype, st.tuples(st.integers(1, 5), st.just(4)), elements=elements))
    view = data.draw(st.sampled_from([array, np.asfortranarray(array), np.repeat(array, 3, axis=1)[:, ::3]]))
    collection = db.collection("round", dim=4, metric="l2")
    np.testing.assert_array_equal(stored(collection, view), array.astype(np.float32))


BAD = {
    "3 ids and 2 vectors": np.ones((2, 3)),
    "vectors have 4 components; this collection stores 3": np.ones((3, 4)),
    "row 1: vector component 2 is NaN": [[1, 2, 3], [1, 2, np.nan], [1, 2, 3]],
    "row 2: vector component 0 is infinite": [[1, 2, 3], [1, 2, 3], [np.inf, 2, 3]],
    "row 0: vector component 0 is NaN": [[None, 2, 3]] * 3,
    "infinite": np.full((3, 3), 1e300),
    r"shape \(3, 1, 1\)": np.ones((3, 1, 1)),
    r"shape \(\)": 5.0,
    "vectors make no array": [[1, 2, 3], [1, 2], [1, 2, 3]],
    "are of type bool": np.ones((3, 3), dtype=bool),
    "are of type complex128": np.ones((3, 3), dtype=complex),
    "are of type <U1": [["a", "b", "c"]] * 3,
    "vectors make no array: .*; wanted numbers": [[{}, 2, 3]] * 3,
}


@pytest.mark.parametrize("problem", BAD)
@pytest.mark.parametrize("batch_size", [1, 1000])
def test_bad_vectors_change_nothing(three: vdbx.Collection, problem: str, batch_size: int) -> None:
    three.upsert("a", [9, 9, 9])
    with np.errstate(over="ignore"), pytest.raises(vdbx.InvalidArgumentError, match=problem):
        three.upsert(["a", "b", "c"], BAD[problem], batch_size=batch_size)
    assert len(three) == 1
    record = three.get("a", vectors=True)
    assert record is not None and record.vector is not None and record.vector.tolist() == [9, 9, 9]


def test_a_zero_vector_has_no_direction(notes: vdbx.Collection) -> None:
    with pytest.raises(vdbx.InvalidArgumentError, match="row 1: the vector is all zeros"):
        notes.upsert(["x", "y"], [[1, 1, 1], [0, 0, 0]])
    with pytest.raises(vdbx.InvalidArgumentError, match="zeros"):
        notes.search([0, 0, 0])


@pytest.mark.parametrize("query", [[1, 2], np.ones((2, 3)), [1, 2, np.nan], [], np.ones((1, 1, 3)), "text", None, {}])
def test_bad_queries(notes: vdbx.Collection, query: Any) -> None:
    with pytest.raises(vdbx.InvalidArgumentError):
        notes.search(query)


def test_bad_batches_of_queries(notes: vdbx.Collection) -> None:
    for queries in ([1, 2, 3], np.ones((2, 2)), ["a", "b"]):
        with pytest.raises(vdbx.InvalidArgumentError):
            notes.search_batch(queries)  # type: ignore[arg-type]


def test_no_rows_are_fine(three: vdbx.Collection) -> None:
    assert three.upsert([], np.empty((0, 3))) == []
    assert three.upsert([], []) == []
    assert len(three) == 0
