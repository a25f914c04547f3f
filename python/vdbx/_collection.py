"""Collection: records written, read and searched."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict, Union, overload

import numpy as np

from vdbx import _convert, _core, _rows
from vdbx._convert import Array
from vdbx._errors import InvalidArgumentError, NotFoundError
from vdbx._filter import Condition, F, Params, Path, compiled
from vdbx._records import Facets, Record, SearchResult
from vdbx.embed._stored import CollectionModel

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from vdbx._database import Database

TEXT_KEY = "text"

_LONGEST_TIMEOUT_SECONDS = 1e9

Filter = Union[str, Condition, None]
Progress = Union[bool, Callable[[int, int], object], None]


@dataclass(frozen=True)
class Id:
    """A query that stands for the vector of a record; that record is not among the hits."""

    id: str


Query = Union[str, Id, Sequence[float], Array]


class SearchOptions(TypedDict, total=False):
    """Keywords of search, and of those that search likewise."""

    filter: Filter
    params: Params
    fields: bool
    vectors: bool
    ef: int | None
    min_recall: float | None
    exact: bool
    radius: float | None
    timeout: float | None


class Collection:
    """A collection of a database; made by Database.collection. Safe to use from many threads."""

    def __init__(self, database: Database, core: _core.Collection, model: CollectionModel | None) -> None:
        self._database = database
        self._core = core
        self._model = model

    @property
    def name(self) -> str:
        return self._core.name

    @property
    def dim(self) -> int:
        """Components of a vector; 0 until the first one where nothing else said it."""
        return self._core.dim

    @property
    def metric(self) -> str:
        """cosine, l2 (squared) or ip (1 - dot product); smaller is nearer."""
        return self._core.metric

    @property
    def database(self) -> Database:
        return self._database

    # Writing

    def upsert(
        self,
        ids: str | Iterable[str] | None = None,
        vectors: Any = None,
        payloads: Mapping[str, Any] | Iterable[Mapping[str, Any]] | None = None,
        *,
        texts: str | Iterable[str] | None = None,
        batch_size: int = 1000,
        progress: Progress = None,
        sync: bool | None = None,
    ) -> list[str]:
        """Writes records, replacing those whose ids are there; returns the ids.

        vectors: (rows, dim), or (dim,) for one record; NumPy arrays of float32 are read in place. Without vectors the
        texts are embedded. vectors=False: the records have none; they are stored, filtered and counted, and never hits
        (to change a payload and keep the vector: update). Texts are stored in the payload as "text"; without ids, a
        text's id is its SHA-256. Each batch is written all or nothing; rows that cannot be written are found before the
        first one.
        """
        if batch_size < 1:
            raise InvalidArgumentError(f"batch_size is {batch_size}; wanted 1 or more")
        batch = _gathered(ids, payloads, texts)
        if vectors is not None or batch.texts is None:
            array = _vectors_or_none(vectors)
            self._write(batch.ids, array, batch.payloads, batch_size, _reporter(progress, len(batch.ids)), sync)
            return list(batch.ids)
        model = self._embedding("upsert(texts=…)")
        report = _reporter(progress, len(batch.ids))
        for begin in range(0, len(batch.ids), batch_size):
            part = slice(begin, begin + batch_size)
            array = model.texts(batch.texts[part])
            payloads_part = None if batch.payloads is None else batch.payloads[part]
            self._write(batch.ids[part], array, payloads_part, batch_size, None, sync)
            report(min(begin + batch_size, len(batch.ids)))
        return list(batch.ids)

    def upsert_rows(
        self,
        rows: Any,
        *,
        id: str = "id",
        vector: str | None = "vector",
        text: str | None = None,
        batch_size: int = 1000,
        progress: Progress = None,
        sync: bool | None = None,
    ) -> int:
        """Writes the rows of a pandas or polars data frame, an Arrow table, or an iterable of dicts; returns how many.

        The columns named id and vector are the record's; all others make its payload. With text, that column is
        embedded where the rows have no vector, and stored as "text". vector=None: the rows have none, and without text the
        records neither. Missing values are null.
        """
        is_without = vector is None and text is None
        report = _reporter(progress, len(rows) if hasattr(rows, "__len__") else 0)
        written = 0
        for block in _rows.blocks(rows, _rows.Columns(id, vector, text), batch_size):
            vectors = False if is_without else block.vectors
            self.upsert(block.ids, vectors, block.payloads, texts=block.texts, batch_size=batch_size, sync=sync)
            written += block.size
            report(written)
        return written

    def _write(
        self,
        ids: tuple[str, ...],
        vectors: Array | None,
        payloads: tuple[Mapping[str, Any], ...] | None,
        batch_size: int,
        report: Callable[[int], object] | None,
        sync: bool | None,
    ) -> None:
        is_sync = self._database.sync if sync is None else sync
        count = len(ids)
        row = 0
        if count > batch_size:
            self._core.check_rows(ids, vectors, payloads)
        try:
            while row < count:
                row = self._core.upsert(ids, vectors, payloads, row, min(batch_size, count - row), is_sync)
                if report:
                    report(row)
        except InvalidArgumentError:
            self._core.check_rows(ids, vectors, payloads)  # names the row
            raise
        if count == 0:
            self._core.check_rows(ids, vectors, payloads)

    def update(
        self,
        ids: str | Iterable[str] | None = None,
        payloads: Mapping[str, Any] | Iterable[Mapping[str, Any]] | None = None,
        *,
        filter: Filter = None,
        params: Params = None,
        merge: bool = True,
        sync: bool | None = None,
    ) -> int:
        """Changes the payloads of these ids, or of all that match the filter; returns how many records were written.

        All or nothing. Vectors stay as they are; a record that is not there stays so. payloads: a dict for all, or for
        ids one for each. merge: what it names is set, None removes, dicts in dicts are merged, the rest stays;
        otherwise it replaces the payload.
        """
        if (ids is None) == (filter is None):
            raise InvalidArgumentError("update wants ids or a filter; filter='TRUE' changes every record")
        listed = _as_dicts(_tuple(payloads, (dict, Mapping)))
        if listed is None:
            raise InvalidArgumentError("update was given no payloads")
        is_sync = self._database.sync if sync is None else sync
        if ids is not None:
            if params:
                raise InvalidArgumentError("params without a filter")
            all_ids = (ids,) if isinstance(ids, str) else tuple(ids)
            if not isinstance(payloads, Mapping):
                _same_length(all_ids, listed, "payloads")
            return self._core.update(all_ids, listed, merge, is_sync) if all_ids else 0
        if not isinstance(payloads, Mapping):
            raise InvalidArgumentError("update by a filter was given several payloads; wanted one dict for all")
        text, bind = compiled(filter, params)
        if not text.strip():
            raise InvalidArgumentError("the filter of update is empty; filter='TRUE' changes every record")
        return self._core.update_where(text, bind, listed[0], merge, is_sync)

    def delete(self, ids: str | Iterable[str] | None = None, *, filter: Filter = None, params: Params = None) -> int:
        """Removes the records of these ids, or all that match the filter; returns how many there were."""
        if (ids is None) == (filter is None):
            raise InvalidArgumentError("delete wants ids or a filter; filter='TRUE' removes every record")
        if ids is not None:
            if params:
                raise InvalidArgumentError("params without a filter")
            return self._core.delete((ids,) if isinstance(ids, str) else tuple(ids), self._database.sync)
        text, bind = compiled(filter, params)
        if not text.strip():
            raise InvalidArgumentError("the filter of delete is empty; filter='TRUE' removes every record")
        return self._core.delete_where(text, bind, self._database.sync)

    # Reading

    @overload
    def get(self, ids: str, *, vectors: bool = False) -> Record | None: ...  # type: ignore[overload-overlap]
    @overload
    def get(self, ids: Iterable[str], *, vectors: bool = False) -> list[Record | None]: ...
    def get(self, ids: str | Iterable[str], *, vectors: bool = False) -> Record | None | list[Record | None]:
        """The record of an id, or None; for several ids a list in their order, None where there is none."""
        wanted = (ids,) if isinstance(ids, str) else tuple(ids)
        found, places = self._core.get(wanted, vectors)
        records = [None if place < 0 else Record(found, place) for place in places]
        return records[0] if isinstance(ids, str) else records

    def __getitem__(self, id: str) -> Record:
        record = self.get(id)
        if record is None:
            raise NotFoundError(f"collection '{self.name}' has no record {id!r}")
        return record

    def __contains__(self, id: object) -> bool:
        return isinstance(id, str) and self.get(id) is not None

    def __len__(self) -> int:
        return self._core.count("", ())

    def __bool__(self) -> bool:
        return True

    def search(
        self,
        query: Query,
        k: int = 10,
        *,
        filter: Filter = None,
        params: Params = None,
        fields: bool = True,
        vectors: bool = False,
        ef: int | None = None,
        min_recall: float | None = None,
        exact: bool = False,
        radius: float | None = None,
        timeout: float | None = None,
    ) -> SearchResult:
        """The k records nearest to a vector, a text (embedded) or vdbx.Id, of those that match the filter.

        ef: candidates kept on the walk, more finds more. min_recall: instead of ef, the share of the true k nearest that is
        wanted on average, above 0 and below 1, by what was measured on the collection's own vectors. exact: score every
        match. radius: only hits at most so far away, every match is scored. timeout: seconds after which the search, without the embedding, is given up (DeadlineError).
        """
        asked = _asked(k, filter, params, fields, vectors, ef, min_recall, exact, radius, timeout)
        return SearchResult(self._core.search(*self._vector_of(query), asked))

    def search_batch(
        self,
        queries: Sequence[str] | Sequence[Sequence[float]] | Array,
        k: int = 10,
        **options: Unpack[SearchOptions],
    ) -> list[SearchResult]:
        """A search for each query, on all cores and on one state of the collection.

        options: those of search; the timeout is that of each.
        """
        asked = _asked(k, **options)
        if len(queries) == 0:
            return []
        if isinstance(queries, (list, tuple)) and all(isinstance(query, str) for query in queries):
            model = self._embedding("search_batch with texts")
            rows = np.stack([model.query(query) for query in queries])
        else:
            rows = _convert.vectors(queries, "queries")
            if rows.ndim != 2:
                raise InvalidArgumentError(f"queries have shape {rows.shape}; wanted (queries, dim)")
        return [SearchResult(result) for result in self._core.search_batch(rows, asked)]

    def explain(self, query: Query, k: int = 10, **options: Unpack[SearchOptions]) -> _core.Explanation:
        """Runs the search and tells how: print the result. options: those of search."""
        asked = _asked(k, **options)
        return self._core.explain(*self._vector_of(query), asked)

    def count(self, filter: Filter = None, params: Params = None) -> int:
        """How many records match, exactly."""
        return self._core.count(*compiled(filter, params))

    def facets(
        self, path: str | Path, filter: Filter = None, params: Params = None, *, limit: int = 10
    ) -> Facets:
        """The values of a path among the records that match, the most frequent `limit` of them with their counts.

        path: as in F["…"], or F.author.name. Of a list each element is a value, once per record. All counts are exact.
        """
        if limit < 0:
            raise InvalidArgumentError(f"limit is {limit}; wanted 0 or more")
        text, bind = compiled(filter, params)
        return Facets(self._core.facets((path if isinstance(path, Path) else F[path])._text, text, bind, limit))

    def scan(
        self,
        filter: Filter = None,
        params: Params = None,
        *,
        fields: bool = True,
        vectors: bool = False,
        batch_size: int = 1000,
    ) -> Iterator[Record]:
        """The records that match, in the order of writing, as they were when the scan began."""
        if batch_size < 1:
            raise InvalidArgumentError(f"batch_size is {batch_size}; wanted 1 or more")
        text, bind = compiled(filter, params)
        return _scanned(self._core.scan(text, bind, fields, vectors), batch_size)

    # Upkeep

    def stats(self) -> _core.CollectionStats:
        return self._core.stats()

    def compact(self) -> None:
        """Rewrites the collection without its dead records, with a new graph; reads go on meanwhile."""
        self._core.compact()

    def wait_for_index(self) -> None:
        """Waits until every record written so far is in the graph. Searches are complete without it."""
        self._core.wait_for_index()

    def verify(self) -> None:
        """Reads everything and compares it; DataLossError tells what is wrong."""
        self._core.verify()

    def __repr__(self) -> str:
        return f"Collection({self.name!r}, dim={self.dim}, metric={self.metric!r})"

    def _embedding(self, what: str) -> CollectionModel:
        if self._model is None:
            raise InvalidArgumentError(
                f"{what} needs an embedding: open the collection with embed='local', or any function of texts"
            )
        return self._model

    def _vector_of(self, query: Query) -> tuple[Array | None, str | None]:
        if isinstance(query, Id):
            return None, query.id
        if isinstance(query, str):
            return self._embedding("a text as query").query(query), None
        return _convert.vectors(query, "the query"), None


@dataclass
class _Batch:
    ids: tuple[str, ...]
    payloads: tuple[Mapping[str, Any], ...] | None
    texts: tuple[str, ...] | None


def _tuple(values: Iterable[Any] | None, single: type | tuple[type, ...]) -> tuple[Any, ...] | None:
    if values is None:
        return None
    return (values,) if isinstance(values, single) else tuple(values)


def _asked(
    k: int,
    filter: Filter = None,
    params: Params = None,
    fields: bool = True,
    vectors: bool = False,
    ef: int | None = None,
    min_recall: float | None = None,
    exact: bool = False,
    radius: float | None = None,
    timeout: float | None = None,
) -> _core.SearchOptions:
    """The options of a search as the core takes them."""
    text, bind = ("", ()) if filter is None and not params else compiled(filter, params)
    micros = 0 if timeout is None else _micros(timeout)
    reach = None if radius is None else _real(radius, "radius")
    recall = 0.0 if min_recall is None else _recall(min_recall)
    return _core.SearchOptions(k, text, bind, ef or 0, recall, exact, reach, micros, fields, vectors)


def _recall(value: Any) -> float:
    recall = _real(value, "min_recall")
    if not 0 < recall < 1:
        raise InvalidArgumentError(f"min_recall is {recall}; wanted above 0 and below 1, or exact=True")
    return recall


def _real(value: Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise InvalidArgumentError(f"{what} is of type {type(value).__name__}; wanted a number")
    return float(value)


def _micros(timeout: Any) -> int:
    """Seconds as microseconds, at least one: 0 means never."""
    seconds = _real(timeout, "timeout")
    if not seconds > 0:
        raise InvalidArgumentError(f"timeout is {timeout}; wanted seconds above 0, or None")
    return math.ceil(min(seconds, _LONGEST_TIMEOUT_SECONDS) * 1e6)


def _vectors_or_none(vectors: Any) -> Array | None:
    """The vectors of an upsert without texts to embed; None where the caller said that there are none."""
    if vectors is None:
        raise InvalidArgumentError(
            "upsert was given neither vectors nor texts; update changes payloads, vectors=False writes records without"
        )
    if vectors is True:
        raise InvalidArgumentError("vectors is True; wanted an array, or False for records without vectors")
    return None if vectors is False else _convert.rows(vectors, "vectors")


def _as_dicts(payloads: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
    if payloads is None:
        return None
    return tuple(dict(p) if isinstance(p, Mapping) and not isinstance(p, dict) else p for p in payloads)


def _gathered(ids: Any, payloads: Any, texts: Any) -> _Batch:
    """Tuples of equal length, the texts in the payloads."""
    all_texts = _tuple(texts, str)
    all_ids = _tuple(ids, str)
    all_payloads = _tuple(payloads, (dict, Mapping))
    if all_texts is not None:
        for row, text in enumerate(all_texts):
            if not isinstance(text, str):
                raise InvalidArgumentError(f"row {row}: the text is of type {type(text).__name__}; wanted str")
        if all_ids is None:
            all_ids = tuple(hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest() for text in all_texts)
        _same_length(all_ids, all_texts, "texts")
    if all_ids is None:
        raise InvalidArgumentError("records without ids; wanted ids=, a str for each row")
    if all_payloads is not None:
        _same_length(all_ids, all_payloads, "payloads")
        all_payloads = _as_dicts(all_payloads)
    if all_texts is not None:
        all_payloads = tuple(
            _with_text(payload, text, row)
            for row, (payload, text) in enumerate(zip(all_payloads or ({},) * len(all_ids), all_texts))
        )
    return _Batch(all_ids, all_payloads, all_texts)


def _same_length(ids: tuple[str, ...], others: tuple[Any, ...], what: str) -> None:
    if len(ids) != len(others):
        raise InvalidArgumentError(f"{len(ids)} ids and {len(others)} {what}; wanted as many of both")


def _with_text(payload: Any, text: str, row: int) -> Any:
    if not isinstance(payload, dict):
        return payload  # refused when it is written, with its row
    if TEXT_KEY in payload:
        raise InvalidArgumentError(f"row {row}: the payload has the key '{TEXT_KEY}', where texts= is stored")
    return {**payload, TEXT_KEY: text}


def _scanned(scanner: _core.Scanner, batch_size: int) -> Iterator[Record]:
    while size := len(block := scanner.next(batch_size)):
        for index in range(size):
            yield Record(block, index)


def _reporter(progress: Progress, total: int) -> Callable[[int], object]:
    """A function of the rows done so far."""
    if progress is None or progress is False:
        return lambda done: None
    if callable(progress):
        return lambda done: progress(done, total)
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return lambda done: print(f"{done} of {total}" if total else done, flush=True)
    bar = tqdm(total=total or None)

    def show(done: int) -> None:
        bar.update(done - bar.n)
        if done >= total > 0:
            bar.close()

    return show
