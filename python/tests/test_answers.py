"""Searches within a radius and a time, and the values of a path."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import vdbx
from vdbx import F

# Radius


@pytest.mark.parametrize("metric", ["l2", "cosine", "ip"])
def test_a_radius_against_numpy(db: vdbx.Database, rng: np.random.Generator, metric: str) -> None:
    rows, query = rng.standard_normal((400, 8)).astype(np.float32), rng.standard_normal(8).astype(np.float32)
    notes = db.collection(metric, metric=metric)
    notes.upsert([f"{i}" for i in range(400)], rows, [{"n": i} for i in range(400)])
    every = notes.search(query, k=400, exact=True)
    radius = float(every.distances[29:31].mean())
    result = notes.search(query, k=400, radius=radius)
    assert result.ids == every.ids[:30] and result.exact and result.complete
    assert notes.search(query, k=5, radius=radius).ids == every.ids[:5]
    under = notes.search(query, k=400, radius=radius, filter=F.n < 200)
    assert under.ids == [id for id in every.ids[:30] if int(id) < 200]
    assert [batch.ids for batch in notes.search_batch([query, query], k=400, radius=radius)] == [every.ids[:30]] * 2
    assert notes.explain(query, k=400, radius=np.float32(radius)).hits == 30


def test_a_radius_of_nothing(notes: vdbx.Collection) -> None:
    result = notes.search([1, 1, 1], radius=0)
    assert result.ids == [] and result.complete
    assert notes.search(vdbx.Id("a"), radius=2).ids == ["b", "c"]
    for radius, problem in ((math.nan, "radius"), (math.inf, "radius"), ("1", "radius is of type str"), (True, "type bool")):
        with pytest.raises(vdbx.InvalidArgumentError, match=problem):
            notes.search([1, 0, 0], radius=radius)  # type: ignore[arg-type]


# Timeout


def test_a_search_that_takes_too_long_is_given_up(db: vdbx.Database, rng: np.random.Generator) -> None:
    notes = db.collection("many", dim=2)
    rows = 70_000  # the clock is looked at every 65,536
    notes.upsert([f"{i}" for i in range(rows)], rng.random((rows, 2)) + 0.1, [{"n": i} for i in range(rows)])
    query = np.ones(2)
    for call in (
        lambda: notes.search(query, timeout=1e-9, exact=True),
        lambda: notes.search_batch([query, query], timeout=1e-6, exact=True),
        lambda: notes.explain(query, timeout=1e-6, exact=True),
        lambda: notes.search(query, timeout=1e-6, radius=100, filter=F.n >= 0),
    ):
        with pytest.raises(vdbx.DeadlineError, match="timeout"):
            call()
    with pytest.raises(TimeoutError):
        notes.search(query, timeout=1e-6, exact=True)
    assert len(notes.search(query, timeout=600)) == len(notes.search(query, timeout=math.inf)) == 10


@pytest.mark.parametrize("timeout", [0, -1, math.nan, "1", False])
def test_bad_timeouts(notes: vdbx.Collection, timeout: Any) -> None:
    for call in (
        lambda: notes.search([1, 0, 0], timeout=timeout),
        lambda: notes.search_batch([[1, 0, 0]], timeout=timeout),
        lambda: notes.explain([1, 0, 0], timeout=timeout),
    ):
        with pytest.raises(vdbx.InvalidArgumentError, match="timeout is"):
            call()


# Facets


def test_facets(notes: vdbx.Collection) -> None:
    tags = notes.facets("tags")
    assert list(tags) == [("y", 2), ("x", 1)] and dict(tags) == {"y": 2, "x": 1}
    assert tags[0].value == "y" and tags[0].count == 2 and tags[:1] == [("y", 2)] and len(tags) == 2
    assert (tags.distinct, tags.records, tags.missing, tags.min, tags.max) == (2, 3, 1, "x", "y")
    years = notes.facets(F.year, "lang IS NOT NULL", limit=1)
    assert (len(years), years.distinct, years.records, years.min, years.max) == (1, 2, 2, 2012, 2016)
    assert list(notes.facets("author.name")) == list(notes.facets(F.author.name)) == [("Ada", 1)]
    assert list(notes.facets("$id", "year < ?", [2000])) == [("c", 1)]
    assert repr(notes.facets("year", limit=0)) == "Facets([], distinct=3, missing=0)"
    nothing = notes.facets("nowhere")
    assert (list(nothing), nothing.min, nothing.max, nothing.missing) == ([], None, None, 3)


def test_facets_of_odd_values(notes: vdbx.Collection) -> None:
    values: list[Any] = [True, 1, 1.0, 2.5, 2**64 - 1, -(2**63), "é", "2024-01-02", None, {}, [1, [2]]]
    notes.delete(filter="TRUE")
    notes.upsert([f"{i}" for i in range(len(values))], np.eye(len(values), 3) + 1, [{"odd name": v} for v in values])
    facets = notes.facets("odd name", limit=100)
    assert [(value, type(value), count) for value, count in facets] == [
        (1, int, 3), (True, bool, 1), (-(2**63), int, 1), (2.5, float, 1), (2**64 - 1, int, 1), ("2024-01-02", str, 1),
        ("é", str, 1),
    ]
    assert facets.min is True and facets.max == "é" and facets.missing == 2


@pytest.mark.parametrize(
    "arguments, problem",
    [
        ({"path": ""}, "path is empty"),
        ({"path": "a..b"}, "empty name"),
        ({"path": 5}, "wanted a path"),
        ({"path": "year", "limit": -1}, "limit is -1"),
        ({"path": "year", "filter": "year >"}, "column 7"),
        ({"path": "year", "params": [1]}, "params without a filter"),
    ],
)
def test_bad_facets(notes: vdbx.Collection, arguments: Any, problem: str) -> None:
    with pytest.raises(vdbx.InvalidArgumentError, match=problem):
        notes.facets(**arguments)


VALUES = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, "", "x", "é"])


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(payloads=st.lists(st.dictionaries(st.sampled_from("ab"), VALUES | st.lists(VALUES, max_size=3)), max_size=12))
def test_facets_against_a_counter(db: vdbx.Database, payloads: list[dict[str, Any]]) -> None:
    collection = db.collection("facets")
    collection.delete(filter="TRUE")
    collection.upsert([f"{i}" for i in range(len(payloads))], payloads=payloads, vectors=False)
    kept = [payload for payload in payloads if payload.get("b") is not None]
    counts: Counter[tuple[bool, Any]] = Counter()
    missing = 0
    for payload in kept:
        value = payload.get("a")
        found = {(isinstance(v, bool), v) for v in (value if isinstance(value, list) else [value]) if v is not None}
        counts.update(found)
        missing += not found
    facets = collection.facets("a", F.b.is_not_null(), limit=100)
    assert {(isinstance(value, bool), value): count for value, count in facets} == counts
    assert (facets.distinct, facets.records, facets.missing) == (len(counts), len(kept), missing)
