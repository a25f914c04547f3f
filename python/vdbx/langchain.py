"""LangChain: VdbxVectorStore, a VectorStore over a collection. Needs langchain-core: pip install 'vdbx[langchain]'.

    store = VdbxVectorStore(vdbx.open("notes.vdb"), embedding)
    store.add_documents(documents)
    retriever = store.as_retriever(search_kwargs={"k": 5, "filter": "year > ?", "params": [2020]})

A document's metadata is the record's payload, its text stands beside it as "text": what one framework wrote, filters,
other frameworks and plain vdbx read too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from vdbx import _comparisons as compare
from vdbx import _convert
from vdbx._collection import TEXT_KEY, Collection
from vdbx._convert import Array
from vdbx._database import Database
from vdbx._errors import InvalidArgumentError, MissingPackageError
from vdbx._filter import Condition, F, Params
from vdbx._records import Record, SearchResult
from vdbx.embed._protocol import Model
from vdbx.embed._stored import CollectionModel

try:
    from langchain_core.documents import Document
    from langchain_core.embeddings import Embeddings
    from langchain_core.vectorstores import VectorStore, VectorStoreRetriever
    from langchain_core.vectorstores.utils import maximal_marginal_relevance
except ImportError as missing:
    raise MissingPackageError(f"vdbx.langchain: {missing}. Install it: pip install 'vdbx[langchain]'") from missing

LangChainFilter = str | Condition | Mapping[str, Any] | None

_SEARCH_OPTIONS = frozenset({"ef", "min_recall", "exact", "radius", "timeout", "vectors"})

_OPERATORS: dict[str, Callable[[Any, Any], Condition]] = {
    "$eq": lambda path, value: path.is_null() if value is None else path == value,
    "$ne": lambda path, value: path.is_not_null() if value is None else path != value,
    "$gt": lambda path, value: path > value,
    "$gte": lambda path, value: path >= value,
    "$lt": lambda path, value: path < value,
    "$lte": lambda path, value: path <= value,
    "$in": lambda path, value: path.in_(value),
    "$nin": lambda path, value: path.not_in(value),
    "$like": lambda path, value: path.like(value),
    "$ilike": lambda path, value: path.ilike(value),
    "$contains": lambda path, value: path.contains(value),
}


def _condition(filter: Mapping[str, Any]) -> Condition:
    """{"lang": "en", "year": {"$gte": 2020}, "$or": [{…}, {…}]} as a condition; an unknown operator is an error."""
    conditions = []
    for key, value in filter.items():
        if key in ("$and", "$or"):
            parts = [_condition(part) for part in value]
            conditions.append(compare.one_of(parts) if key == "$or" else compare.every(parts))
        elif key == "$not":
            conditions.append(~_condition(value))
        elif key.startswith("$"):
            raise InvalidArgumentError(f"filter operator {key!r}; wanted a field, $and, $or or $not")
        elif isinstance(value, Mapping):
            for name, operand in value.items():
                if name not in _OPERATORS:
                    raise InvalidArgumentError(f"filter operator {name!r} on {key!r}; wanted {', '.join(_OPERATORS)}")
                conditions.append(_OPERATORS[name](F[key], operand))
        else:
            conditions.append(_OPERATORS["$eq"](F[key], value))
    return compare.every(conditions)


def _refuse(unknown: Mapping[str, Any], call: str) -> None:
    if unknown:
        raise InvalidArgumentError(f"{call}: unknown arguments {', '.join(sorted(unknown))}")


class _Function:
    """An embedding of LangChain as vdbx takes it."""

    def __init__(self, embedding: Embeddings) -> None:
        self._embedding = embedding
        model = getattr(embedding, "model", None) or getattr(embedding, "model_name", None)
        self.name = f"{type(embedding).__name__} {model}" if isinstance(model, str) else type(embedding).__name__

    def __call__(self, texts: list[str]) -> list[list[float]]:
        return self._embedding.embed_documents(texts)

    def query(self, text: str) -> list[float]:
        return self._embedding.embed_query(text)


class VdbxVectorStore(VectorStore):
    """Documents in a collection, which is made if it is not there. Scores are distances: smaller is nearer.

    Filters are vdbx's: text with params, a condition made with F, or a dict of fields. A document without an id gets one
    made of its text and metadata, so that adding it twice adds it once. An embedding that makes other vectors than the one
    that filled the collection is refused (EmbeddingMismatchError), whatever its name.
    """

    def __init__(
        self,
        database: Database,
        embedding: Embeddings,
        *,
        collection_name: str = "langchain",
        metric: str | None = None,
    ) -> None:
        self._embedding = embedding
        self._collection = database.collection(collection_name, metric=metric)
        self._model = CollectionModel(self._collection._core, Model(_Function(embedding)), by_name=False)

    @property
    def embeddings(self) -> Embeddings:
        return self._embedding

    @property
    def collection(self) -> Collection:
        """The collection underneath."""
        return self._collection

    # Writing

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
        batch_size: int = 1000,
        **kwargs: Any,
    ) -> list[str]:
        """Embeds and writes; returns the ids. A document whose id is there is replaced."""
        _refuse(kwargs, "add_texts")
        listed = list(texts)
        payloads = list(metadatas) if metadatas is not None else [{} for _ in listed]
        given = list(ids) if ids is not None else [None] * len(listed)
        if not len(listed) == len(payloads) == len(given):
            raise InvalidArgumentError(f"{len(listed)} texts, {len(payloads)} metadatas and {len(given)} ids")
        for row, payload in enumerate(payloads):
            if TEXT_KEY in payload:
                raise InvalidArgumentError(f"row {row}: the metadata has the key '{TEXT_KEY}', where the text is stored")
        made = [id or _id_of(text, payload) for id, text, payload in zip(given, listed, payloads)]
        if not listed:
            return []
        vectors = self._model.texts(listed)
        return self._collection.upsert(made, vectors, payloads, texts=listed, batch_size=batch_size)

    def delete(
        self, ids: list[str] | None = None, *, filter: LangChainFilter = None, params: Params = None, **kwargs: Any
    ) -> bool:
        """Removes documents by ids, or by a filter; without either it is an error, and removes nothing."""
        _refuse(kwargs, "delete")
        if filter is not None and isinstance(filter, Mapping) and not filter:
            raise InvalidArgumentError("delete: the filter is empty")
        self._collection.delete(ids, filter=_as_filter(filter), params=params)
        return True

    # Reading

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """The documents of these ids, in their order, without those that are not there."""
        return [_document(record) for record in self._collection.get(list(ids)) if record is not None]

    def similarity_search(
        self, query: str, k: int = 4, *, filter: LangChainFilter = None, params: Params = None, **kwargs: Any
    ) -> list[Document]:
        return [_document(hit) for hit in self._search(self._model.query(query), k, filter, params, kwargs)]

    def similarity_search_by_vector(
        self,
        embedding: list[float],
        k: int = 4,
        *,
        filter: LangChainFilter = None,
        params: Params = None,
        **kwargs: Any,
    ) -> list[Document]:
        return [_document(hit) for hit in self._search(embedding, k, filter, params, kwargs)]

    def similarity_search_with_score(
        self, query: str, k: int = 4, *, filter: LangChainFilter = None, params: Params = None, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        """Documents with their distances."""
        result = self._search(self._model.query(query), k, filter, params, kwargs)
        return [(_document(hit), hit.distance) for hit in result]

    def max_marginal_relevance_search(
        self,
        query: str,
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        *,
        filter: LangChainFilter = None,
        params: Params = None,
        **kwargs: Any,
    ) -> list[Document]:
        return self.max_marginal_relevance_search_by_vector(
            self._model.query(query).tolist(), k, fetch_k, lambda_mult, filter=filter, params=params, **kwargs
        )

    def max_marginal_relevance_search_by_vector(
        self,
        embedding: list[float],
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        *,
        filter: LangChainFilter = None,
        params: Params = None,
        **kwargs: Any,
    ) -> list[Document]:
        """k of the fetch_k nearest, each unlike those before it."""
        result = self._search(embedding, max(k, fetch_k), filter, params, {**kwargs, "vectors": True})
        if not len(result):
            return []
        vectors = [list(row) for row in result.to_numpy()]
        chosen = maximal_marginal_relevance(np.asarray(embedding, dtype=np.float32), vectors, lambda_mult, k)
        return [_document(result[i]) for i in chosen]

    def _search(
        self, vector: Sequence[float] | Array, k: int, filter: LangChainFilter, params: Params, options: dict[str, Any]
    ) -> SearchResult:
        _refuse({name: 0 for name in options if name not in _SEARCH_OPTIONS}, "search")
        return self._collection.search(vector, k, filter=_as_filter(filter), params=params, **options)

    def _select_relevance_score_fn(self) -> Callable[[float], float]:
        """1 for the same direction or place, 0 for unrelated ones; rounding cannot lead out of [0, 1]."""
        if self._collection.metric == "l2":
            return lambda distance: min(max(1.0 - (max(distance, 0.0) / 2.0) ** 0.5, 0.0), 1.0)
        return lambda distance: min(max(1.0 - distance, 0.0), 1.0)

    def as_retriever(self, **kwargs: Any) -> VectorStoreRetriever:
        """As in LangChain; what belongs to the search goes into search_kwargs, and elsewhere is an error."""
        unknown = [name for name in kwargs if name not in VectorStoreRetriever.model_fields or name == "vectorstore"]
        if unknown:
            raise InvalidArgumentError(
                f"as_retriever: unknown arguments {', '.join(unknown)}; wanted search_kwargs={{'{unknown[0]}': …}}"
            )
        return super().as_retriever(**kwargs)

    @classmethod
    def from_texts(
        cls,
        texts: list[str],
        embedding: Embeddings,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        database: Database | None = None,
        collection_name: str = "langchain",
        metric: str | None = None,
        **kwargs: Any,
    ) -> VdbxVectorStore:
        _refuse(kwargs, "from_texts")
        if database is None:
            raise InvalidArgumentError("from_texts: wanted database=vdbx.open(…)")
        store = cls(database, embedding, collection_name=collection_name, metric=metric)
        store.add_texts(texts, metadatas, ids=ids)
        return store


def _as_filter(filter: LangChainFilter) -> str | Condition | None:
    return _condition(filter) if isinstance(filter, Mapping) else filter


def _id_of(text: str, metadata: Mapping[str, Any]) -> str:
    """The SHA-256 of text and metadata."""
    described = json.dumps(metadata, sort_keys=True, default=_json_value)
    return hashlib.sha256(f"{described}\n{text}".encode("utf-8", "surrogatepass")).hexdigest()


def _json_value(value: Any) -> Any:
    converted = _convert.payload_value(value)
    return repr(value) if converted is value else converted  # refused when it is written


def _document(record: Record) -> Document:
    metadata = dict(record.payload)
    text = metadata.pop(TEXT_KEY, "")
    return Document(id=record.id, page_content=text if isinstance(text, str) else json.dumps(text), metadata=metadata)
