"""What goes in comes out: payloads, ids, vectors, whatever they hold; and filters mean the same however they are written."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import vdbx
from vdbx import Condition, F

Array = npt.NDArray[Any]


def examples(count: int) -> settings:
    return settings(max_examples=count, deadline=None, suppress_health_check=list(HealthCheck))


# Payloads

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NUMBER = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBER | TEXT, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=15
)
PAYLOADS = st.lists(st.dictionaries(TEXT, JSON, max_size=6), min_size=1, max_size=8)


def same(a: Any, b: Any) -> bool:
    """Equal, of equal types, keys in equal order: 1, 1.0 and True differ here, 0.0 and -0.0 too."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b) and (not isinstance(a, float) or math.copysign(1, a) == math.copysign(1, b))


@examples(80)
@given(payloads=PAYLOADS, batch_size=st.integers(1, 9))
def test_payloads(db: vdbx.Database, payloads: list[dict[str, Any]], batch_size: int) -> None:
    notes = db.collection("payloads", dim=1, metric="l2")
    notes.delete(filter="TRUE")
    ids = [f"{i}" for i in range(len(payloads))]
    notes.upsert(ids, [[i] for i in range(len(ids))], payloads, batch_size=batch_size)
    ways: list[Sequence[vdbx.Record | None]] = [
        notes.get(ids), list(notes.scan(batch_size=batch_size)), notes.search([0], k=len(ids))
    ]
    for records in ways:
        assert [record.id for record in records if record is not None] == ids
        assert all(record is not None and same(record.payload, payload) for record, payload in zip(records, payloads))
    notes.update(ids, payloads[::-1], merge=False)
    assert all(same(notes[id].payload, payload) for id, payload in zip(ids, payloads[::-1]))


def test_payloads_after_the_database_was_closed(tmp_path: Path) -> None:
    kept: dict[str, dict[str, Any]] = {}

    @examples(40)
    @given(payloads=PAYLOADS)
    def write(payloads: list[dict[str, Any]]) -> None:
        ids = [f"{len(kept) + i}" for i in range(len(payloads))]
        notes.upsert(ids, payloads=payloads, vectors=False)
        kept.update(zip(ids, payloads))

    with vdbx.open(tmp_path / "kept.vdb", sync=False) as db:
        notes = db.collection("payloads", dim=1)
        write()
    with vdbx.open(tmp_path / "kept.vdb", read_only=True) as db:
        found = {record.id: record.payload for record in db.collection("payloads").scan()}
    assert len(kept) >= 40 and found.keys() == kept.keys() and all(same(found[id], kept[id]) for id in kept)


# Ids: any text of 1 to 512 bytes in UTF-8

IDS = st.lists(TEXT.filter(lambda id: 1 <= len(id.encode()) <= 512), min_size=1, max_size=8, unique=True)


@examples(500)
@given(ids=IDS)
def test_ids(db: vdbx.Database, ids: list[str]) -> None:
    notes = db.collection("ids", dim=1, metric="l2")
    notes.delete(filter="TRUE")
    assert notes.upsert(ids, [[i] for i in range(len(ids))]) == ids
    assert {record.id for record in notes.scan()} == set(ids)
    for i, id in enumerate(ids):
        assert id in notes and notes[id].id == id
        assert notes.search([i], k=1)[0].id == id
        assert [record.id for record in notes.scan(F["$id"] == id)] == [id]
        assert [record.id for record in notes.scan("$id = '" + id.replace("'", "''") + "'")] == [id]
    assert set(notes.search(vdbx.Id(ids[0]), k=9).ids) == set(ids[1:])
    assert notes.delete(ids[::2]) == len(ids[::2]) and {record.id for record in notes.scan()} == set(ids[1::2])


def test_every_character_in_an_id(tmp_path: Path) -> None:
    characters = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    ids = ["".join(characters[i : i + 128]) for i in range(0, len(characters), 128)]
    assert max(len(id.encode()) for id in ids) == 512
    with vdbx.open(tmp_path / "ids.vdb", sync=False) as db:
        db.collection("ids", dim=1).upsert(ids, payloads=[{"id": id} for id in ids], vectors=False)
    with vdbx.open(tmp_path / "ids.vdb") as db:
        notes = db.collection("ids")
        assert [record.id for record in notes.get(ids) if record is not None] == ids
        assert sorted(record["id"] for record in notes.scan()) == ids == sorted(record.id for record in notes.scan())
        assert notes.delete(ids) == len(ids) == 8688 and len(notes) == 0


# Vectors of every type and layout

DIM = 4
TYPES = ["<f2", "<f4", "<f8", ">f2", ">f4", ">f8", "g", "i1", "u1", "<i2", ">u4", "i8", "u8"]


@st.composite
def laid_out(draw: st.DrawFn) -> Array:
    """Rows of DIM numbers, as a view with strides of any size and sign over memory of its own."""
    dtype = np.dtype(draw(st.sampled_from(TYPES)))
    rows = draw(st.integers(1, 5))
    if dtype.kind == "f":
        largest = 60_000 if dtype.itemsize == 2 else 2.0**50
        values: Any = st.floats(-largest, largest, width=16 if dtype.itemsize == 2 else 32 if dtype.itemsize == 4 else 64)
    else:
        values = hnp.from_dtype(dtype)
    numbers = draw(hnp.arrays(dtype, (rows, DIM), elements=values))
    steps = draw(st.tuples(*[st.sampled_from([-3, -2, -1, 1, 2, 3])] * 2))
    shape = (rows * abs(steps[0]), DIM * abs(steps[1]))
    offset = draw(st.integers(0, dtype.itemsize))
    memory = np.zeros(offset + shape[0] * shape[1] * dtype.itemsize, dtype=np.uint8)
    whole = memory[offset:].view(dtype).reshape(shape, order=draw(st.sampled_from("CF")))
    view = whole[:: steps[0], :: steps[1]]
    view[...] = numbers
    if draw(st.booleans()):
        view.setflags(write=False)
    if draw(st.integers(0, 5)) == 0:
        view = np.broadcast_to(view[0], (rows, DIM))  # a stride of zero
    return view


@examples(600)
@given(view=laid_out())
def test_vectors(db: vdbx.Database, view: Array) -> None:
    notes = db.collection("vectors", dim=DIM, metric="l2")
    notes.delete(filter="TRUE")
    ids = [f"{i}" for i in range(len(view))]
    notes.upsert(ids, view)
    expected = np.ascontiguousarray(view).astype(np.float32)
    stored = [record.vector for record in notes.get(ids, vectors=True) if record is not None]
    np.testing.assert_array_equal(np.stack([v for v in stored if v is not None]), expected, strict=True)
    for query, plain, result in zip(view, expected, notes.search_batch(view, k=5)):
        found = notes.search(query, k=5)
        assert found.distances.tolist() == notes.search(plain, k=5).distances.tolist() == result.distances.tolist()
        assert found.distances[0] == 0


# Filters: one tree, written with F, as text, and as text with parameters, against a naive reading of SQL's three values

TEXTS = ["", "x", "xy", "Xy", "é", "É", "Äσ", "äΣς", "a%", "_", "it's", "?", ":x", "$1", '"', "\\", "\U0001f600", "a\0b", "x\ny"]
NUMBERS = [-2, 0, 1, 2, 2**53, 2**53 + 1, 2.0**53, 2**63, 2**64 - 1, -(2**63), 0.5, -0.0, 1e-7, 1e300]
MOMENTS = [datetime.datetime(2024, 1, 2, hour, tzinfo=datetime.timezone.utc) for hour in (0, 3, 23)]
DATES = ["2024-01-02", "2024-01-02T03:00:00+00:00", "2024-01-02 05:00:00+02:00", "2024-01-03", "2024-13-01"]
SCALAR = st.sampled_from([*NUMBERS, *TEXTS, True, False])
STORED = SCALAR | st.none() | st.sampled_from([{}, [], [1], {"b": 1}])
RECORD = st.fixed_dictionaries(
    {},
    optional={
        "n": STORED,
        "s": st.sampled_from(TEXTS),
        "odd name?": STORED,
        "between": STORED,
        "a": STORED | st.fixed_dictionaries({}, optional={"b": STORED}),
        "tags": STORED | st.lists(STORED, max_size=4),
        "items": st.lists(st.fixed_dictionaries({}, optional={"sku": SCALAR | st.lists(SCALAR, max_size=2)}), max_size=3),
        "at": STORED | st.sampled_from(DATES),
    },
)
WRITTEN = {"odd name?": '"odd name?"', "between": '"between"'}  # as text writes a path, where F does not
PATHS = ["n", "s", "a.b", "at", "$id", "tags", *WRITTEN]
LISTS = ["tags", "items[].sku", "tags[]", "n"]
OPERATORS: dict[str, Callable[[int], bool]] = {
    "=": lambda order: order == 0,
    "!=": lambda order: order != 0,
    "<": lambda order: order < 0,
    "<=": lambda order: order <= 0,
    ">": lambda order: order > 0,
    ">=": lambda order: order >= 0,
}


@dataclass(frozen=True)
class Leaf:
    path: str
    operator: str
    values: tuple[Any, ...]
    negated: bool = False


@dataclass(frozen=True)
class Node:
    word: str  # AND, OR, NOT
    parts: tuple[Any, ...]


def leaves(paths: list[str], operators: list[str], values: st.SearchStrategy[Any], most: int = 1) -> st.SearchStrategy[Leaf]:
    several = st.lists(values, min_size=0 if most == 3 else most, max_size=most).map(tuple)
    return st.builds(Leaf, st.sampled_from(paths), st.sampled_from(operators), several, st.booleans())


PATTERN = st.text(st.sampled_from("%%_xyXéÉäÄσς\n\0"), max_size=4)
LEAF = (
    leaves(PATHS, list(OPERATORS), SCALAR)
    | leaves(["at", "s"], list(OPERATORS), st.sampled_from(MOMENTS))
    | leaves(PATHS, ["IN"], SCALAR, 3)
    | leaves(["n", "s", "at"], ["BETWEEN"], SCALAR | st.sampled_from(MOMENTS), 2)
    | leaves(["s", "n", "$id"], ["LIKE", "ILIKE"], PATTERN)
    | leaves([*PATHS, *LISTS], ["IS NULL"], SCALAR, 0)
    | leaves(LISTS, ["CONTAINS"], SCALAR)
    | leaves(LISTS, ["CONTAINS ANY", "CONTAINS ALL"], SCALAR, 3)
)
TREE = st.recursive(
    LEAF,
    lambda inner: st.builds(Node, st.sampled_from(["AND", "OR"]), st.lists(inner, min_size=2, max_size=3).map(tuple))
    | st.builds(Node, st.just("NOT"), st.tuples(inner)),
    max_leaves=10,
)


def with_f(tree: Any) -> Condition:
    if isinstance(tree, Node):
        parts = [with_f(part) for part in tree.parts]
        if tree.word == "NOT":
            return ~parts[0]
        joined = parts[0]
        for part in parts[1:]:
            joined = joined & part if tree.word == "AND" else joined | part
        return joined
    path, values = F[tree.path], tree.values
    made: dict[str, Callable[[], Condition]] = {
        "=": lambda: path == values[0],
        "!=": lambda: path != values[0],
        "<": lambda: path < values[0],
        "<=": lambda: path <= values[0],
        ">": lambda: path > values[0],
        ">=": lambda: path >= values[0],
        "IN": lambda: path.in_(values),
        "BETWEEN": lambda: path.between(*values),
        "LIKE": lambda: path.like(values[0]),
        "ILIKE": lambda: path.ilike(values[0]),
        "IS NULL": lambda: path.is_null(),
        "CONTAINS": lambda: path.contains(values[0]),
        "CONTAINS ANY": lambda: path.contains_any(values),
        "CONTAINS ALL": lambda: path.contains_all(values),
    }
    if tree.negated and tree.operator in ("IN", "IS NULL"):
        return path.not_in(values) if tree.operator == "IN" else path.is_not_null()
    condition = made[tree.operator]()
    return ~condition if tree.negated else condition


def as_text(tree: Any, write: Callable[[Any], str]) -> str:
    """The tree as text; write says how a value, or a tuple of values, stands in it."""
    if isinstance(tree, Node):
        parts = [f"({as_text(part, write)})" for part in tree.parts]
        return f"NOT {parts[0]}" if tree.word == "NOT" else f" {tree.word} ".join(parts)
    path, name = WRITTEN.get(tree.path, tree.path), tree.operator
    if name == "IS NULL":
        return f"{path} IS {'NOT ' if tree.negated else ''}NULL"
    if name in ("IN", "CONTAINS ANY", "CONTAINS ALL"):
        after = write(tree.values)
    else:
        after = " AND ".join(write(value) for value in tree.values)
    if name in OPERATORS:
        return f"{'NOT ' if tree.negated else ''}{path} {name} {after}"
    return f"{path} {'NOT ' if tree.negated else ''}{name} {after}"


def literal(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(literal, value))})"
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, datetime.datetime):
        return f"TIMESTAMP '{value.isoformat()}'"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)


def has_empty_list(tree: Any) -> bool:
    """A list without values can be a parameter, and cannot be written out."""
    if isinstance(tree, Node):
        return any(map(has_empty_list, tree.parts))
    return tree.operator in ("IN", "CONTAINS ANY", "CONTAINS ALL") and not tree.values


def negation(truth: bool | None) -> bool | None:
    return None if truth is None else not truth


def conjunction(truths: list[bool | None]) -> bool | None:
    return False if False in truths else None if None in truths else True


def disjunction(truths: list[bool | None]) -> bool | None:
    return negation(conjunction([negation(truth) for truth in truths]))


def moment(text: str) -> datetime.datetime | None:
    try:
        parsed = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=datetime.timezone.utc)


def compared(stored: Any, operator: str, value: Any) -> bool | None:
    if isinstance(value, datetime.datetime):
        stored = moment(stored) if isinstance(stored, str) else None
    kinds: tuple[Any, ...] = (bool, (int, float), str, datetime.datetime)
    kind = next(kind for kind in kinds if isinstance(value, kind))
    if not isinstance(stored, kind) or isinstance(stored, bool) is not isinstance(value, bool):
        return None
    if isinstance(value, str):
        stored, value = stored.encode(), value.encode()
    return OPERATORS[operator]((stored > value) - (stored < value))


def fits(text: Any, pattern: str, fold: bool) -> bool | None:
    if not isinstance(text, str):
        return None
    if fold:
        text, pattern = (part.lower().replace("ς", "σ") for part in (text, pattern))
    expression = "".join({"%": ".*", "_": "."}.get(c, re.escape(c)) for c in pattern)
    return re.fullmatch(expression, text, re.DOTALL) is not None


def read(record: dict[str, Any], id: str, path: str) -> Any:
    if path == "$id":
        return id
    if path == "items[].sku":
        found = [item["sku"] for item in record.get("items", []) if "sku" in item]
        return [v for sku in found for v in (sku if isinstance(sku, list) else [sku])] if found else None
    value: Any = record
    for name in path.removesuffix("[]").split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def naive(tree: Any, record: dict[str, Any], id: str) -> bool | None:
    if isinstance(tree, Node):
        truths = [naive(part, record, id) for part in tree.parts]
        return {"AND": conjunction, "OR": disjunction, "NOT": lambda t: negation(t[0])}[tree.word](truths)
    stored, values = read(record, id, tree.path), tree.values

    def holds(value: Any) -> bool | None:
        return disjunction([compared(element, "=", value) for element in stored]) if isinstance(stored, list) else None

    if tree.operator == "IN":
        truth = disjunction([compared(stored, "=", value) for value in values])
    elif tree.operator == "BETWEEN":
        truth = conjunction([compared(stored, ">=", values[0]), compared(stored, "<=", values[1])])
    elif tree.operator in ("LIKE", "ILIKE"):
        truth = fits(stored, values[0], tree.operator == "ILIKE")
    elif tree.operator == "IS NULL":
        truth = stored is None
    elif tree.operator.startswith("CONTAINS"):
        truth = (conjunction if tree.operator == "CONTAINS ALL" else disjunction)([holds(value) for value in values])
    else:
        truth = compared(stored, tree.operator, values[0])
    return negation(truth) if tree.negated else truth


@examples(500)
@given(records=st.lists(RECORD, min_size=1, max_size=10), trees=st.lists(TREE, min_size=1, max_size=5), data=st.data())
def test_filters(db: vdbx.Database, records: list[dict[str, Any]], trees: list[Any], data: st.DataObject) -> None:
    notes = db.collection("filters", dim=1, metric="l2")
    notes.delete(filter="TRUE")
    ids = data.draw(st.permutations(["x", "X", "xy", "é", "1", "it's", "?", "2024-01-02", "a\0b", "\U0001f600"]))[: len(records)]
    notes.upsert(ids, [[i] for i in range(len(ids))], records)
    for tree in trees:
        expected = [id for id, record in zip(ids, records) if naive(tree, record, id) is True]
        values: list[Any] = []

        def mark(value: Any) -> str:
            values.append(value)
            return "?"

        marks = as_text(tree, mark)
        named = {f"p{i}": value for i, value in enumerate(values)}
        unused = iter(named)
        names = as_text(tree, lambda value: ":" + next(unused))
        filters: list[tuple[Any, Any]] = [(with_f(tree), None), (marks, values), (names, named)]
        if not has_empty_list(tree):
            filters.append((as_text(tree, literal), None))
        for filter, params in filters:
            assert [record.id for record in notes.scan(filter, params)] == expected, filter
            assert notes.count(filter, params) == len(expected)
            assert notes.search([0], k=20, filter=filter, params=params).ids == expected


def test_the_naive_evaluator_knows_three_values() -> None:
    assert [naive(Leaf("n", "=", (1,)), {"n": n}, "") for n in (1, True, "1", 2, None)] == [True, None, None, False, None]
    assert naive(Leaf("tags", "CONTAINS", (1,)), {"tags": [2, None]}, "") is None
    assert naive(Leaf("n", "IN", (), negated=True), {}, "") is True
