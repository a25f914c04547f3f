"""Filters as text, as F, and against a naive evaluator."""

from __future__ import annotations

import datetime
import functools
import operator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import vdbx
from vdbx import Condition, F


def ids(notes: vdbx.Collection, filter: Any, params: Any = None) -> list[str]:
    return [record.id for record in notes.scan(filter, params)]


def test_parameters_in_all_three_ways(notes: vdbx.Collection) -> None:
    assert ids(notes, "year > ? AND lang = ?", [2000, "en"]) == ["a"]
    assert ids(notes, "year > :since AND (lang = :lang OR lang = :lang)", {"lang": "de", "since": 1}) == ["b"]
    assert ids(notes, "lang = $2 OR year = $1", [1996, "en"]) == ["a", "c"]
    assert ids(notes, "year = ?", (np.int64(2012),)) == ["b"]


def test_marks_in_quotes_are_text(notes: vdbx.Collection) -> None:
    notes.upsert("q", [1, 1, 1], {"say": "what? :no $1 it's", 'odd "name"?': 1})
    assert ids(notes, "say = 'what? :no $1 it''s'") == ["q"]
    assert ids(notes, '"odd ""name""?" = ?', [1]) == ["q"]
    assert ids(notes, F['odd "name"?'] == 1) == ["q"]


BAD: dict[str, tuple[Any, Any]] = {
    "2 places for parameters; 1 were given": ("year > ? AND year < ?", [1]),
    "0 places for parameters; 1 were given": ("year > 5", [1]),
    "1 places for parameters; 0 were given": ("year > ?", None),
    "mixes": ("year > ? AND lang = :lang", [1]),
    "missing: lang; not in the filter: lnag": ("lang = :lang", {"lnag": 1}),
    "wanted params as a dict": ("lang = :lang", ["en"]),
    "wanted params as a list": ("lang = ?", {"lang": "en"}),
    "params without a filter": (None, [1]),
    "params beside a condition": (F.year > 1, [1]),
    "params is of type str": ("lang = ?", "e"),
    "filter is of type int": (5, None),
    "filter is of type dict": ({"year": 5}, None),
    "parameter 1 is a list; wanted one value. A list stands after IN": ("year = ?", [[1, 2]]),
    r"parameter 2 is a set; wanted one value": ("year > ? AND year IN (?)", [1, {2}]),
    "parameter :year is a tuple; wanted one value": ("year = :year", {"year": (1, 2)}),
    "parameter 2 is of type str; wanted a list of values": ("year > ? AND lang IN ?", [1, "en"]),
    "parameter :any is of type int; wanted a list of values": ("tags CONTAINS ANY :any", {"any": 5}),
    "parameter 1 is of type NoneType; wanted a list": ("tags contains all $1", [None]),
    "parameter 1, value 1, is a list; wanted one value": ("year IN ?", [[1, [2]]]),
    "parameter :langs, value 0, is of type bytes": ("lang IN :langs", {"langs": [b"x"]}),
    "parameter 1, value 2 is an int past 64 bits": ("year IN ?", [[1, 2, 2**64]]),
    "parameter 1, value 0 holds a lone surrogate": ("lang IN ?", [["\ud800"]]),
    "is bound to a list; wanted one value": ("lang IN :x OR lang = :x", {"x": ["en"]}),
    "expected .id, the record's id": ("$ID = 'a'", None),
    "parameter 1 is of type bytes": ("lang = ?", [b"x"]),
    "parameter 1 is an int past 64 bits": ("year = ?", [2**64]),
    "parameter 1 holds a lone surrogate": ("lang = ?", ["\ud800"]),
    "column 8: expected a value": ("year > AND", None),
}


@pytest.mark.parametrize("problem", BAD)
def test_bad_filters(notes: vdbx.Collection, problem: str) -> None:
    filter, params = BAD[problem]
    for call in (
        lambda: notes.count(filter, params),
        lambda: notes.search([1, 0, 0], filter=filter, params=params),
        lambda: notes.search_batch([[1, 0, 0]], filter=filter, params=params),
        lambda: notes.explain([1, 0, 0], filter=filter, params=params),
        lambda: list(notes.scan(filter, params)),
        lambda: notes.delete(filter=filter, params=params),
    ):
        with pytest.raises(vdbx.InvalidArgumentError):
            call()
    with pytest.raises(vdbx.InvalidArgumentError, match=problem):
        notes.count(filter, params)
    assert len(notes) == 3


@pytest.mark.parametrize("arguments", [{}, {"filter": ""}, {"filter": "  "}, {"ids": "a", "filter": "TRUE"}])
def test_delete_wants_a_condition(notes: vdbx.Collection, arguments: Any) -> None:
    with pytest.raises(vdbx.InvalidArgumentError, match="removes every record"):
        notes.delete(**arguments)
    assert len(notes) == 3


def test_f_becomes_text_and_parameters() -> None:
    condition = (F.year >= 2020) & F.lang.in_(["en"]) & ~F["author.name"].is_null()
    assert condition.text == "year >= ? AND lang IN ? AND NOT (author.name IS NULL)"
    assert condition.params == (2020, ("en",))
    assert ((F.a == 1) | (F.b == 2) & (F.c == 3)).text == "a = ? OR (b = ? AND c = ?)"
    assert (F["items[]"].sku == 1).text == 'items[].sku = ?'
    assert (F.a.b["c d"].e == 1).text == 'a.b."c d".e = ?'
    assert (F["not"] == 1).text == '"not" = ?'
    assert (F["größe"] == 1).text == '"größe" = ?'
    assert (F['x" = 1 OR TRUE --'] == 1).text == '"x"" = 1 OR TRUE --" = ?'
    assert (F.a.in_(range(3)).text, F.a.in_(range(3)).params) == ("a IN ?", ((0, 1, 2),))
    assert (F["ilike"] == 1).text == '"ilike" = ?'
    assert (F["$id"] == "a").text == "$id = ?" and (F.a["$id"] == 1).text == 'a."$id" = ?'


def test_f_finds_what_it_says(notes: vdbx.Collection) -> None:
    assert ids(notes, F.author.name == "Ada") == ["c"]
    assert ids(notes, F.year.between(1996, 2012)) == ["b", "c"]
    assert ids(notes, F.lang.like("e%")) == ["a"]
    assert ids(notes, F.tags.contains("x")) == ["a"]
    assert ids(notes, F.tags.contains_any(["x", "y"])) == ["a", "b"]
    assert ids(notes, F.tags.contains_all(("x", "y"))) == ["a"]
    assert ids(notes, F.lang.not_in(["en"])) == ["b"]
    assert ids(notes, F.lang.is_not_null() & (F.year != 2016)) == ["b"]
    assert notes.delete(filter=F.year < 2000) == 1


def test_lists_are_one_parameter(notes: vdbx.Collection) -> None:
    assert ids(notes, "year IN ?", [[2016, 1996]]) == ["a", "c"]
    assert ids(notes, "year NOT IN :years AND lang in  :langs", {"years": {2016}, "langs": ("de", "en")}) == ["b"]
    assert ids(notes, "tags CONTAINS ANY $2 AND year = $1", [2012, ["x", "y"]]) == ["b"]
    assert ids(notes, "tags CONTAINS ALL ?", [["x", "y"]]) == ["a"]
    assert ids(notes, "year IN ?", [np.array([2012, 1996])]) == ["b", "c"]
    assert ids(notes, "year IN ? OR year IN (?, 5)", [range(2010, 2014), 1996]) == ["b", "c"]
    assert ids(notes, "lang IN ?", [[]]) == [] and ids(notes, "lang NOT IN ?", [[]]) == ["a", "b", "c"]
    assert ids(notes, F.lang.in_([])) == [] and ids(notes, F.lang.not_in([])) == ["a", "b", "c"]
    assert ids(notes, F.tags.contains_any([])) == [] and ids(notes, F.tags.contains_all([])) == ["a", "b", "c"]
    assert ids(notes, F.year.in_(range(100_000))) == ["a", "b", "c"]
    assert notes.delete(filter="year IN ?", params=[[2016]]) == 1


def test_dates_in_a_list(notes: vdbx.Collection) -> None:
    moment = datetime.datetime(2024, 1, 2, 3, 4, tzinfo=datetime.timezone.utc)
    notes.upsert("d", [1, 1, 1], {"at": moment})
    assert ids(notes, "at IN ?", [[moment]]) == ["d"] and ids(notes, F.at.in_([np.datetime64("2024-01-02T03:04")])) == ["d"]


def test_the_id_is_a_path(notes: vdbx.Collection) -> None:
    notes.upsert(["doc/1", "doc/2", "Doc/3"], np.eye(3), [{"$id": "own"}, {"id": "a"}, {}])
    assert ids(notes, "$id = ?", ["a"]) == ids(notes, F["$id"] == "a") == ["a"]
    assert ids(notes, F["$id"].in_(["b", "doc/2", "nowhere"]) & F.year.is_not_null()) == ["b"]
    assert ids(notes, F["$id"].like("doc/%")) == ["doc/1", "doc/2"]
    assert ids(notes, F["$id"].ilike("doc/%")) == ["doc/1", "doc/2", "Doc/3"]
    assert ids(notes, "$id > 'doc' AND $id != ?", ["doc/1"]) == ["doc/2"]
    assert ids(notes, '"$id" = ?', ["own"]) == ["doc/1"] and ids(notes, F.id == "a") == ["doc/2"]
    assert notes.search([1, 0, 0], filter=F["$id"].not_in(["a", "doc/1"])).ids[0] in ("b", "c", "doc/2", "Doc/3")
    assert notes.update(filter=F["$id"].like("doc/%"), payloads={"seen": True}) == 2
    assert notes.delete(filter="$id IN ?", params=[["doc/1", "doc/2", "Doc/3"]]) == 3


def test_like_with_a_leading_percent_and_ilike(notes: vdbx.Collection) -> None:
    notes.upsert(["p", "q", "r"], np.eye(3), [{"say": "ÄRGER im Graph"}, {"say": "a graph"}, {"say": "50% of 5_0"}])
    assert ids(notes, F.say.like("%graph")) == ["q"]
    assert ids(notes, F.say.like("%raph%")) == ["p", "q"]
    assert ids(notes, F.say.ilike("%GRAPH")) == ["p", "q"]
    assert ids(notes, F.say.ilike("ä%")) == ["p"]
    assert ids(notes, "say ILIKE :x AND say NOT ILIKE '%g%'", {"x": "%of%"}) == ["r"]
    assert ids(notes, ~F.say.ilike("%graph")) == ["r"]


def test_a_long_chain_does_not_nest(notes: vdbx.Collection) -> None:
    chain = functools.reduce(operator.or_, [F.year == year for year in range(1900, 2100)])
    assert ids(notes, chain) == ["a", "b", "c"]


def test_python_words_on_f_raise_with_advice() -> None:
    path: Any = F.a
    for call in (
        lambda: (F.a == 1) and (F.b == 2),
        lambda: (F.a == 1) or (F.b == 2),
        lambda: not (F.a == 1),
        lambda: 1 < F.a < 5,
        lambda: 5 in path,
        lambda: bool(path),
        lambda: list(path),
        lambda: F.a == None,  # noqa: E711
        lambda: F.a == F.b,
        lambda: (F.a == 1) & 5,  # type: ignore[operator]
        lambda: (F.a == 1) & True,  # type: ignore[operator]
        lambda: F.a.in_("text"),
        lambda: F.a.in_(5),  # type: ignore[arg-type]
        lambda: F[5],  # type: ignore[index]
        lambda: F[""],
        lambda: F["a..b"],
        lambda: F.a[0],  # type: ignore[index]
        lambda: setattr(path, "b", 1),
    ):
        with pytest.raises(vdbx.InvalidArgumentError):
            call()
    with pytest.raises(vdbx.InvalidArgumentError, match="between"):
        1 < F.a < 5


# A naive reading of SQL's three values, over flat payloads: True, False or None for each condition.

PATHS = ["a", "b", "odd name", "in"]
VALUES = st.integers(-3, 3) | st.sampled_from([0.5, -1.5]) | st.sampled_from(["", "x", "xy", "é"]) | st.booleans()
PAYLOADS = st.lists(st.dictionaries(st.sampled_from(PATHS), st.none() | VALUES), min_size=1, max_size=12)


def kind(value: Any) -> str:
    return "bool" if isinstance(value, bool) else "number" if isinstance(value, (int, float)) else "str"


def compare(name: str, path: str, value: Any) -> tuple[Condition, Any]:
    functions = {
        "eq": operator.eq, "ne": operator.ne, "lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge
    }

    def naive(payload: dict[str, Any]) -> bool | None:
        stored = payload.get(path)
        if stored is None or kind(stored) != kind(value):
            return None
        pair = (stored.encode(), value.encode()) if isinstance(value, str) else (stored, value)
        return bool(functions[name](*pair))

    return functions[name](F[path], value), naive


def listed(path: str, values: list[Any], negated: bool) -> tuple[Condition, Any]:
    def naive(payload: dict[str, Any]) -> bool | None:
        found: list[bool | None] = [compare("eq", path, value)[1](payload) for value in values]
        result = True if True in found else None if None in found else False
        return result if not negated or result is None else not result

    return (F[path].not_in(values) if negated else F[path].in_(values)), naive


def inverted(pair: tuple[Condition, Any]) -> tuple[Condition, Any]:
    def naive(payload: dict[str, Any]) -> bool | None:
        result = pair[1](payload)
        return None if result is None else not result

    return ~pair[0], naive


def both(a: tuple[Condition, Any], b: tuple[Condition, Any], is_and: bool) -> tuple[Condition, Any]:
    def naive(payload: dict[str, Any]) -> bool | None:
        results = (a[1](payload), b[1](payload))
        decisive = not is_and
        return decisive if decisive in results else None if None in results else not decisive

    return (a[0] & b[0] if is_and else a[0] | b[0]), naive


PATH = st.sampled_from(PATHS)
LEAF = (
    st.builds(compare, st.sampled_from(["eq", "ne", "lt", "le", "gt", "ge"]), PATH, VALUES)
    | st.builds(listed, PATH, st.lists(VALUES, max_size=3), st.booleans())
    | PATH.map(lambda path: (F[path].is_null(), lambda payload: payload.get(path) is None))
)
TREE = st.recursive(
    LEAF, lambda inner: inner.map(inverted) | st.builds(both, inner, inner, st.booleans()), max_leaves=12
)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(payloads=PAYLOADS, tree=TREE)
def test_f_against_a_naive_evaluator(db: vdbx.Database, payloads: list[dict[str, Any]], tree: Any) -> None:
    condition, naive = tree
    collection = db.collection("naive", dim=1, metric="l2")
    collection.delete(filter="TRUE")
    collection.upsert([f"{i}" for i in range(len(payloads))], np.ones((len(payloads), 1)), payloads)
    expected = [f"{i}" for i, payload in enumerate(payloads) if naive(payload) is True]
    assert ids(collection, condition) == expected
    assert collection.count(condition.text, condition.params) == len(expected)
    assert sorted(collection.search([1], k=50, filter=condition).ids) == sorted(expected)
