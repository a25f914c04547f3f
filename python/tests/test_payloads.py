"""Payloads and ids come back as they were, or are refused with their place."""

from __future__ import annotations

import datetime
import json
import math
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import vdbx

SETTINGS = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SCALAR = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
)
JSON = st.recursive(SCALAR, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=20)


def same(a: Any, b: Any) -> bool:
    """Equal, and of equal types: 1, 1.0 and True differ here, 0.0 and -0.0 too."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b) and (not isinstance(a, float) or math.copysign(1, a) == math.copysign(1, b))


@SETTINGS
@given(payload=st.dictionaries(TEXT, JSON))
def test_payloads_round_trip(notes: vdbx.Collection, payload: dict[str, Any]) -> None:
    notes.upsert(["a"], [[1, 0, 0]], [payload])
    assert same(notes["a"].payload, payload)


@SETTINGS
@given(id=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=120))
def test_ids_round_trip(notes: vdbx.Collection, id: str) -> None:
    notes.upsert([id], [[1, 0, 0]])
    assert notes[id].id == id and id in notes
    assert notes.delete(id) == 1


def test_values_that_json_lacks_are_converted(notes: vdbx.Collection) -> None:
    key = uuid.uuid4()
    zone = datetime.timezone(datetime.timedelta(hours=2))
    notes.upsert(
        "a",
        [1, 0, 0],
        {
            "int": np.int16(5),
            "large": np.uint64(2**64 - 1),
            "float": np.float32(0.5),
            "double": np.float64(0.1),
            "bool": np.bool_(True),
            "str": np.str_("x"),
            "array": np.array([[1, 2], [3, 4]]),
            "tuple": (1, "a"),
            "naive": datetime.datetime(2024, 1, 2, 3, 4, 5),
            "aware": datetime.datetime(2024, 1, 2, 3, 4, 5, 250_000, tzinfo=zone),
            "date": datetime.date(2024, 1, 2),
            "np date": np.datetime64("2024-01-02T03:04:05"),
            "uuid": key,
            "path": Path("a") / "b",
        },
    )
    assert notes["a"].payload == {
        "int": 5,
        "large": 2**64 - 1,
        "float": 0.5,
        "double": 0.1,
        "bool": True,
        "str": "x",
        "array": [[1, 2], [3, 4]],
        "tuple": [1, "a"],
        "naive": "2024-01-02T03:04:05+00:00",
        "aware": "2024-01-02T03:04:05.250000+02:00",
        "date": "2024-01-02",
        "np date": "2024-01-02T03:04:05+00:00",
        "uuid": str(key),
        "path": "a/b",
    }


def test_dates_compare_in_filters(notes: vdbx.Collection) -> None:
    notes.upsert(["p", "q"], np.eye(3)[:2], [{"at": datetime.datetime(2024, 1, 1)}, {"at": datetime.date(2025, 1, 1)}])
    assert [r.id for r in notes.scan("at > ?", [datetime.datetime(2024, 6, 1)])] == ["q"]
    assert [r.id for r in notes.scan("at <= ?", [datetime.date(2024, 1, 1)])] == ["p"]
    assert [r.id for r in notes.scan("at = ?", [np.datetime64("2025-01-01")])] == ["q"]


def nested(levels: int) -> dict[str, Any]:
    payload: dict[str, Any] = {}
    for _ in range(levels - 1):
        payload = {"a": payload}
    return payload


CYCLE: dict[str, Any] = {}
CYCLE["again"] = CYCLE

BAD: dict[str, Any] = {
    "a: NaN": {"a": math.nan},
    r"a.b\[1\]: infinity": {"a": {"b": [1, -math.inf]}},
    "a: an int past 64 bit": {"a": 2**64},
    r"a\[0\]: an int past 64 bit": {"a": [-(2**63) - 1]},
    "a: a value of type bytes": {"a": b"x"},
    "a: a value of type set": {"a": {1}},
    "a: a value of type complex": {"a": np.complex128(1)},
    "a: a value of type object": {"a": object()},
    "a: a key is of type int": {"a": {1: 2}},
    "row 1: a key is of type NoneType": {None: 2},
    "a: the text holds a lone surrogate": {"a": "\ud800"},
    "a key holds a lone surrogate": {"\ud800": 1},
    "the payload is of type list; wanted a dict": [1],
    "the payload is of type NoneType; wanted a dict": None,
    "nested deeper than 64": nested(65),
    "again.again.*nested deeper than 64": CYCLE,
    "the payload has [0-9]+ bytes": {"a": "x" * (16 << 20)},
}


@pytest.mark.parametrize("problem", BAD)
@pytest.mark.parametrize("batch_size", [1, 1000])
def test_bad_payloads_name_row_and_path(notes: vdbx.Collection, problem: str, batch_size: int) -> None:
    with pytest.raises(vdbx.InvalidArgumentError, match=f"row 1: .*{problem}|{problem}") as caught:
        notes.upsert(["a", "x"], np.ones((2, 3)), [{}, BAD[problem]], batch_size=batch_size)
    assert "row 1" in str(caught.value)
    assert len(notes) == 3 and notes["a"]["year"] == 2016


def test_payloads_at_the_limits(notes: vdbx.Collection) -> None:
    notes.upsert("deep", [1, 1, 1], nested(64))
    notes.upsert("large", [1, 1, 1], {"a": "x" * ((16 << 20) - 8)})
    assert len(notes["large"].payload_json) == 16 << 20
    notes.upsert("json", [1, 1, 1], None)
    assert notes["json"].payload == {}


BAD_IDS: dict[str, Any] = {
    "row 1: the id is of type int": 5,
    "row 1: the id is of type NoneType": None,
    "row 1: the id is of type bytes": b"x",
    "row 1: the id has 0 bytes": "",
    "row 1: the id has 513 bytes": "x" * 513,
    "row 1: the id holds a lone surrogate": "\ud800",
}


@pytest.mark.parametrize("problem", BAD_IDS)
@pytest.mark.parametrize("batch_size", [1, 1000])
def test_bad_ids_change_nothing(notes: vdbx.Collection, problem: str, batch_size: int) -> None:
    with pytest.raises(vdbx.InvalidArgumentError, match=problem):
        notes.upsert(["a", BAD_IDS[problem]], np.ones((2, 3)), batch_size=batch_size)
    assert len(notes) == 3 and notes["a"]["year"] == 2016


def test_bad_ids_elsewhere(notes: vdbx.Collection) -> None:
    for call in (notes.get, notes.delete):
        with pytest.raises(vdbx.InvalidArgumentError, match="id 1 is of type int"):
            call(["a", 5])
    with pytest.raises(vdbx.InvalidArgumentError, match="id 0 is of type int"):
        notes.delete([1])


LENGTHS: dict[str, dict[str, Any]] = {
    "2 ids and 1 payloads": {"ids": ["x", "y"], "vectors": np.ones((2, 3)), "payloads": [{}]},
    "2 ids and 1 texts": {"ids": ["x", "y"], "texts": ["x"]},
    "records without ids": {"vectors": np.ones((2, 3))},
    "neither vectors nor texts": {"ids": ["x"], "payloads": [{}]},
    "needs an embedding": {"texts": ["x"]},
    "batch_size is 0": {"ids": ["x"], "vectors": np.ones((1, 3)), "batch_size": 0},
    "row 0: the text is of type int": {"texts": [1]},
    "row 0: the payload has the key 'text'": {"texts": ["x"], "payloads": [{"text": "y"}]},
}


@pytest.mark.parametrize("problem", LENGTHS)
def test_bad_calls_change_nothing(notes: vdbx.Collection, problem: str) -> None:
    with pytest.raises(vdbx.InvalidArgumentError, match=problem):
        notes.upsert(**LENGTHS[problem])
    assert len(notes) == 3


def test_a_conversion_that_changes_its_dict_is_survived(notes: vdbx.Collection) -> None:
    payload: dict[str, Any] = {"a": None, "b": 1}

    class Path_:
        def __fspath__(self) -> str:
            payload.clear()
            return "x"

    import os

    os.PathLike.register(Path_)
    payload["a"] = Path_()
    notes.upsert("x", [1, 1, 1], payload)
    assert json.loads(notes["x"].payload_json)["a"] == "x"
