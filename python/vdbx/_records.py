"""What reading gives: records, and the hits of a search. Payloads are parsed when they are first touched."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, overload

from vdbx import _core
from vdbx._convert import Array
from vdbx._errors import InvalidArgumentError

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

_UNPARSED: Any = object()


class Record:
    """A record as read. record["year"] and record.get("year") read the payload."""

    __slots__ = ("_index", "_payload", "_source")

    def __init__(self, source: _core.Records | _core.SearchResult, index: int) -> None:
        self._source = source
        self._index = index
        self._payload = _UNPARSED

    @property
    def id(self) -> str:
        return self._source.id(self._index)

    @property
    def payload(self) -> dict[str, Any]:
        """The payload; empty where it was not asked for. Changing it changes this copy alone."""
        if self._payload is _UNPARSED:
            text = self._source.payload(self._index)
            self._payload = json.loads(text) if text else {}
        payload: dict[str, Any] = self._payload
        return payload

    @property
    def payload_json(self) -> str:
        """The payload as the JSON text that is stored."""
        return self._source.payload(self._index)

    @property
    def vector(self) -> Array | None:
        """float32; None where vectors were not asked for, and for a record without one."""
        vector = self._source.vector(self._index)
        return vector if len(vector) else None

    @property
    def text(self) -> str | None:
        """The text that was written with it, if any."""
        text = self.payload.get("text")
        return text if isinstance(text, str) else None

    def __getitem__(self, key: str) -> Any:
        return self.payload[key]

    def __contains__(self, key: object) -> bool:
        return key in self.payload

    def get(self, key: str, default: Any = None) -> Any:
        return self.payload.get(key, default)

    def __repr__(self) -> str:
        return f"Record(id={self.id!r}, payload={self.payload_json})"


class Hit(Record):
    """A record that a search found, with its distance: smaller is nearer."""

    __slots__ = ()
    _source: _core.SearchResult

    @property
    def distance(self) -> float:
        return self._source.distance(self._index)

    def __repr__(self) -> str:
        return f"Hit(id={self.id!r}, distance={self.distance:.6g}, payload={self.payload_json})"


class SearchResult(Sequence[Hit]):
    """The hits of a search, nearest first, and how they were found."""

    __slots__ = ("_result",)

    def __init__(self, result: _core.SearchResult) -> None:
        self._result = result

    def __len__(self) -> int:
        return len(self._result)

    @overload
    def __getitem__(self, index: int) -> Hit: ...
    @overload
    def __getitem__(self, index: slice) -> list[Hit]: ...
    def __getitem__(self, index: int | slice) -> Hit | list[Hit]:
        if isinstance(index, slice):
            return [Hit(self._result, i) for i in range(*index.indices(len(self)))]
        size = len(self._result)
        if not -size <= index < size:
            raise IndexError(f"hit {index} of {size}")
        return Hit(self._result, index % size)

    def __iter__(self) -> Iterator[Hit]:
        result = self._result
        return (Hit(result, i) for i in range(len(result)))

    @property
    def ids(self) -> list[str]:
        return self._result.ids()

    @property
    def distances(self) -> Array:
        return self._result.distances()

    @property
    def plan(self) -> str:
        """How it was answered: "P0 exact" scored every match, "P1 sweep" walked the graph."""
        return self._result.plan

    @property
    def exact(self) -> bool:
        """Proven to be the nearest of all that match."""
        return self._result.exact

    @property
    def complete(self) -> bool:
        """Whether min(k, matches) hits are here."""
        return self._result.complete

    @property
    def reason(self) -> str:
        """Why this plan, and why not exact or not complete where that is so."""
        return self._result.why

    @property
    def matches(self) -> int:
        """How many records match the filter, counted exactly."""
        return self._result.details.matches

    @property
    def details(self) -> _core.PlanDetails:
        return self._result.details

    @property
    def took_us(self) -> float:
        """Microseconds spent in the core."""
        return self._result.details.total_us

    def to_numpy(self) -> Array:
        """The vectors of the hits, hits x dim, float32; the search must have asked for vectors."""
        vectors = self._result.vectors()
        if len(self) and not vectors.shape[1]:
            raise InvalidArgumentError("the hits have no vectors; wanted search(…, vectors=True)")
        return vectors

    def to_list(self) -> list[dict[str, Any]]:
        """A dict for each hit: its payload, with id and distance, which win over fields of these names."""
        return [{**hit.payload, "id": hit.id, "distance": hit.distance} for hit in self]

    def _columns(self) -> dict[str, list[Any]]:
        """The rows of to_list as columns, id and distance first; None where a hit lacks a field."""
        rows = self.to_list()
        names = dict.fromkeys(["id", "distance", *(name for row in rows for name in row)])
        return {name: [row.get(name) for row in rows] for name in names}

    def to_pandas(self) -> pandas.DataFrame:
        import pandas

        return pandas.DataFrame(self._columns())

    def to_polars(self) -> polars.DataFrame:
        import polars

        return polars.DataFrame(self._columns(), strict=False)

    def to_arrow(self) -> pyarrow.Table:
        import pyarrow

        return pyarrow.table(self._columns())

    def __repr__(self) -> str:
        state = [self.plan, "exact" if self.exact else "approximate", "complete" if self.complete else "incomplete"]
        return f"SearchResult({', '.join(state)}, {list(self)!r})"

    def _repr_html_(self) -> str:
        columns = self._columns()
        head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
        rows = "".join(
            "<tr>" + "".join(f"<td>{html.escape(_short(value))}</td>" for value in row) + "</tr>"
            for row in zip(*columns.values())
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table><p>{html.escape(self.reason)}</p>"


class Facet(NamedTuple):
    """A value, and how many records have it."""

    value: bool | int | float | str
    count: int  # type: ignore[assignment]  # of the records, not tuple.count


class Facets(Sequence[Facet]):
    """The values of a path, most frequent first, and what is known of all of them: dict(facets) counts by value."""

    __slots__ = ("_result", "_values")

    def __init__(self, result: _core.FacetResult) -> None:
        self._result = result
        self._values = [Facet(value, count) for value, count in result.values]

    def __len__(self) -> int:
        return len(self._values)

    @overload
    def __getitem__(self, index: int) -> Facet: ...
    @overload
    def __getitem__(self, index: slice) -> list[Facet]: ...
    def __getitem__(self, index: int | slice) -> Facet | list[Facet]:
        return self._values[index]

    @property
    def distinct(self) -> int:
        """How many distinct values there are, listed or not."""
        return self._result.distinct

    @property
    def records(self) -> int:
        """How many records match the filter."""
        return self._result.records

    @property
    def missing(self) -> int:
        """How many of those have no value at the path."""
        return self._result.missing

    @property
    def min(self) -> bool | int | float | str | None:
        """The smallest value: False < True < numbers < strings; None if there is none."""
        return self._result.min

    @property
    def max(self) -> bool | int | float | str | None:
        return self._result.max

    def __repr__(self) -> str:
        return f"Facets({[tuple(facet) for facet in self._values]!r}, distinct={self.distinct}, missing={self.missing})"


def _short(value: Any) -> str:
    text = f"{value:.4f}" if isinstance(value, float) else "" if value is None else str(value)
    return text if len(text) <= 120 else text[:119] + "…"
