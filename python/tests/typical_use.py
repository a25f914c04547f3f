"""Typical use, for the type checker: it must pass mypy --strict. Not a test that runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import vdbx
from vdbx import F


def embed(texts: list[str]) -> list[list[float]]:
    return [[1.0, 2.0] for _ in texts]


def main() -> None:
    with vdbx.open("notes.vdb", sync=False) as db:
        notes: vdbx.Collection = db.collection("notes", dim=2, metric="l2", embed=embed)
        ids: list[str] = notes.upsert(texts=["a"], payloads=[{"n": 1}])
        notes.upsert(["a"], np.ones((1, 2)), [{"n": 1}], progress=True)
        notes.upsert("a", [1, 2], {"n": 1}, progress=lambda done, total: print(done, total))
        result: vdbx.SearchResult = notes.search("a", k=3, filter=(F.n >= 1) & ~F.n.is_null())
        result = notes.search([1.0, 2.0], filter="n > :n", params={"n": 1})
        result = notes.search(vdbx.Id("a"), filter="n > ?", params=[1])
        hit: vdbx.Hit = result[0]
        first: list[vdbx.Hit] = result[:2]
        text: str | None = hit.text
        distance: float = hit.distance
        value: Any = hit["n"]
        record: vdbx.Record | None = notes.get("a")
        records: list[vdbx.Record | None] = notes.get(["a", "b"], vectors=True)
        scan: Iterator[vdbx.Record] = notes.scan(F.n > 1)
        batch: list[vdbx.SearchResult] = notes.search_batch(np.ones((2, 2)), 3, filter="n > ?", params=[1], ef=50)
        count: int = notes.count("n = 1") + notes.delete(ids) + notes.delete(filter=F.n == 1) + len(notes)
        with db.write() as write:
            write.upsert(notes, "b", [1, 2])
            write.delete(notes, "a")
        print(first, text, distance, value, record, records, list(scan), batch, count, result.to_pandas())
        notes.upsert(["c"], payloads=[{"n": 2}], vectors=False)
        changed: int = notes.update("c", {"n": None}) + notes.update(filter=F["$id"] == "c", payloads={"n": 3}, merge=False)
        near: vdbx.SearchResult = notes.search([1, 2], radius=0.5, timeout=2.0, filter="n IN ?", params=[[1, 2]])
        facets: vdbx.Facets = notes.facets(F.author.name, F.n > 1, limit=5)
        by_value: dict[bool | int | float | str, int] = dict(facets)
        events: list[vdbx.Event] = db.events()
        db.checkpoint("copy.vdb")
        with vdbx.open("copy.vdb", read_only=True) as copy:
            print(copy.read_only, changed, near, facets.min, facets.distinct, facets[0].count, by_value, events)
        print(notes.explain([1.0, 2.0], k=3, filter=F.n > 1, exact=True).details.matches, notes.stats().records)
