"""DSPy: VdbxRetriever for modules, VdbxRM for dspy.configure(rm=…). Needs dspy: pip install 'vdbx[dspy]'.

    notes = vdbx.open("notes.vdb").collection("notes", embed="local")
    retrieve = VdbxRetriever(notes, k=3, filter="year > ?", params=[2020])
    passages = retrieve("graph index").passages
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from vdbx._collection import Collection, Filter
from vdbx._errors import InvalidArgumentError, MissingPackageError
from vdbx._filter import Params
from vdbx._records import Hit, SearchResult

try:
    import dspy
    from dspy.dsp.utils.utils import dotdict
except ImportError as missing:
    raise MissingPackageError(f"vdbx.dspy: {missing}. Install it: pip install 'vdbx[dspy]'") from missing


def _text(hit: Hit) -> str:
    text = hit.text
    if text is None:
        raise InvalidArgumentError(f"record {hit.id!r} has no text; wanted records written with upsert(texts=…)")
    return text


class VdbxRetriever(dspy.Retrieve):  # type: ignore[misc]
    """Answers with a Prediction: passages (texts), ids, distances and payloads, nearest first.

    The collection must have been opened with embed=. k and the filter may be given again with each call.
    """

    def __init__(
        self, collection: Collection, k: int = 3, *, filter: Filter = None, params: Params = None, callbacks: Any = None
    ) -> None:
        super().__init__(k=k, callbacks=callbacks)
        self.collection = collection
        self.filter = filter
        self.params = params

    def forward(
        self, query: str, k: int | None = None, *, filter: Filter = None, params: Params = None
    ) -> dspy.Prediction:
        own = filter is None
        result: SearchResult = self.collection.search(
            query, self.k if k is None else k, filter=self.filter if own else filter, params=self.params if own else params
        )
        hits = list(result)
        return dspy.Prediction(
            passages=[_text(hit) for hit in hits],
            ids=[hit.id for hit in hits],
            distances=[hit.distance for hit in hits],
            payloads=[hit.payload for hit in hits],
        )


class VdbxRM:
    """What dspy.Retrieve() asks when it is configured: dspy.configure(rm=VdbxRM(notes))."""

    def __init__(self, collection: Collection, k: int = 3, *, filter: Filter = None, params: Params = None) -> None:
        self.collection = collection
        self.k = k
        self.filter = filter
        self.params = params

    def __call__(self, query: str | Iterable[str], k: int | None = None) -> list[Any]:
        """Passages with long_text, id, distance and payload; for several queries, those of each after the other."""
        queries = [query] if isinstance(query, str) else list(query)
        size = self.k if k is None else k
        results = self.collection.search_batch(queries, size, filter=self.filter, params=self.params)
        return [
            dotdict(long_text=_text(hit), id=hit.id, distance=hit.distance, payload=hit.payload)
            for result in results
            for hit in result
        ]
