"""Haystack: VdbxDocumentStore and a retriever. Needs haystack-ai: pip install 'vdbx[haystack]'.

    store = VdbxDocumentStore("notes.vdb")
    store.write_documents(documents_with_embeddings)
    pipeline.add_component("retriever", VdbxEmbeddingRetriever(store, top_k=5))

A document's meta is the record's payload, its content stands beside it as "text": what one framework wrote, filters,
other frameworks and plain vdbx read too. Documents without an embedding are stored, filtered and counted, and no search
finds them.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import threading
from collections.abc import Sequence
from typing import Any

import vdbx
from vdbx import _comparisons as compare
from vdbx._collection import TEXT_KEY, Collection
from vdbx._database import Database
from vdbx._errors import InvalidArgumentError, MissingPackageError
from vdbx._filter import Condition, Path
from vdbx._records import Hit, Record

try:
    from haystack import component, default_from_dict, default_to_dict
    from haystack.dataclasses import ByteStream, Document, SparseEmbedding
    from haystack.document_stores.errors import DuplicateDocumentError
    from haystack.document_stores.types import DuplicatePolicy, FilterPolicy, apply_filter_policy

    from vdbx._haystack_filter import Filters, condition_of
except ImportError as missing:
    raise MissingPackageError(f"vdbx.haystack: {missing}. Install it: pip install 'vdbx[haystack]'") from missing

# Under this key a record keeps what a document has beside meta and content.
_REST_KEY = "_haystack"
_OWN_KEYS = (TEXT_KEY, _REST_KEY)
_ALL = 1 << 62  # as the limit of facets


def _payload(document: Document) -> dict[str, Any]:
    for key in _OWN_KEYS:
        if key in document.meta:
            raise InvalidArgumentError(f"document {document.id!r}: the meta has the key '{key}', which is the store's")
    payload = dict(document.meta)
    if document.content is not None:
        payload[TEXT_KEY] = document.content
    rest: dict[str, Any] = {}
    if document.blob is not None:
        rest["blob"] = document.blob.to_dict()
    if document.sparse_embedding is not None:
        rest["sparse_embedding"] = document.sparse_embedding.to_dict()
    if document.score is not None:
        rest["score"] = document.score
    if rest:
        payload[_REST_KEY] = rest
    return payload


def _document(record: Record, score: float | None = None, *, embedding: bool = True) -> Document:
    meta = dict(record.payload)
    text, rest = meta.pop(TEXT_KEY, None), meta.pop(_REST_KEY, {})
    blob, sparse = rest.get("blob"), rest.get("sparse_embedding")
    vector = record.vector if embedding else None
    return Document(
        id=record.id,
        content=text if isinstance(text, (str, type(None))) else json.dumps(text),
        blob=None if blob is None else ByteStream.from_dict(blob),
        meta=meta,
        score=rest.get("score") if score is None else score,
        embedding=None if vector is None else vector.tolist(),
        sparse_embedding=None if sparse is None else SparseEmbedding.from_dict(sparse),
    )


def _names_of(field: str) -> list[str]:
    """meta.a.b or a.b as names."""
    return field.removeprefix("meta.").split(".")


def _value_at(meta: Any, names: list[str]) -> Any:
    for name in names:
        if not isinstance(meta, dict):
            return None
        meta = meta.get(name)
    return meta


def _type_name(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "int" if isinstance(value, int) else "float" if isinstance(value, float) else "keyword"


class VdbxDocumentStore:
    """Documents in a collection, which is made if it is not there; its dimension is that of the first embedding.

    database: an open one, or the path of a folder. Scores are the cosine, the dot product (ip), or the negative
    distance (l2). Filters are Haystack's; a time without a zone is UTC.
    """

    def __init__(
        self,
        database: Database | str | os.PathLike[str],
        *,
        collection_name: str = "haystack",
        dim: int | None = None,
        metric: str | None = None,
    ) -> None:
        self._database = database if isinstance(database, Database) else vdbx.open(database)
        self._options: dict[str, Any] = {"dim": dim, "metric": metric}
        self._collection = self._database.collection(collection_name, **self._options)
        self._writing = threading.Lock()  # from looking for duplicates to the write

    @property
    def collection(self) -> Collection:
        """The collection underneath."""
        return self._collection

    def to_dict(self) -> dict[str, Any]:
        database = os.path.abspath(self._database.path)
        return default_to_dict(self, database=database, collection_name=self._collection.name, **self._options)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> VdbxDocumentStore:
        store: VdbxDocumentStore = default_from_dict(cls, data)
        return store

    # Writing

    def write_documents(self, documents: list[Document], policy: DuplicatePolicy = DuplicatePolicy.NONE) -> int:
        """Writes all or none; returns how many. Without a policy a document whose id is there is an error (FAIL)."""
        if not isinstance(documents, Sequence) or isinstance(documents, str):
            raise InvalidArgumentError(f"documents are of type {type(documents).__name__}; wanted a list of Document")
        for row, document in enumerate(documents):
            if not isinstance(document, Document):
                raise InvalidArgumentError(f"row {row} is of type {type(document).__name__}; wanted Document")
        with self._writing:
            written = list(documents) if policy == DuplicatePolicy.OVERWRITE else self._new(documents, policy)
            with self._database.write() as batch:
                for is_embedded, group in itertools.groupby(written, lambda document: document.embedding is not None):
                    run = list(group)
                    vectors = [document.embedding for document in run] if is_embedded else False
                    payloads = [_payload(document) for document in run]
                    batch.upsert(self._collection, [document.id for document in run], vectors, payloads)
        return len(written)

    def _new(self, documents: Sequence[Document], policy: DuplicatePolicy) -> list[Document]:
        """Those whose ids are not there."""
        ids = [document.id for document in documents]
        seen = {record.id for record in self._collection.scan("$id IN ?", [ids], fields=False)}
        new = []
        for document in documents:
            if document.id not in seen:
                seen.add(document.id)
                new.append(document)
            elif policy != DuplicatePolicy.SKIP:
                raise DuplicateDocumentError(f"ID '{document.id}' already exists; nothing was written.")
        return new

    def delete_documents(self, document_ids: list[str]) -> None:
        """Removes the documents of these ids; ids that are not there are no error."""
        if isinstance(document_ids, str) or not isinstance(document_ids, Sequence):
            raise InvalidArgumentError(f"document_ids are {document_ids!r}; wanted a list of ids")
        self._collection.delete(list(document_ids))

    def delete_all_documents(self, recreate_collection: bool = False) -> None:
        """Removes every document. recreate_collection: the dimension is again that of the next embedding, unless one was given."""
        if not recreate_collection:
            self._collection.delete(filter="TRUE")
            return
        name, metric = self._collection.name, self._collection.metric
        self._database.drop(name)
        self._collection = self._database.collection(name, **{**self._options, "metric": metric})

    def delete_by_filter(self, filters: dict[str, Any]) -> int:
        """Removes what matches; returns how many. Empty filters are an error: delete_all_documents removes all."""
        return self._collection.delete(filter=_required(filters, "delete_by_filter"))

    def update_by_filter(self, filters: dict[str, Any], meta: dict[str, Any]) -> int:
        """Sets these keys in the meta of what matches; returns how many."""
        condition = _required(filters, "update_by_filter")
        for key in _OWN_KEYS:
            if key in meta:
                raise InvalidArgumentError(f"update_by_filter: the meta has the key '{key}', which is the store's")
        if not any(value is None or isinstance(value, dict) for value in meta.values()):
            return self._collection.update(filter=condition, payloads=meta)
        # A merge would remove what is None, and merge what is a dict.
        with self._writing:
            matching = list(self._collection.scan(condition))
            payloads = [{**record.payload, **meta} for record in matching]
            return self._collection.update([record.id for record in matching], payloads, merge=False)

    # Reading

    def count_documents(self) -> int:
        return len(self._collection)

    def filter_documents(self, filters: dict[str, Any] | None = None) -> list[Document]:
        """What matches, in the order of writing."""
        return [_document(record) for record in self._collection.scan(condition_of(filters), vectors=True)]

    def count_documents_by_filter(self, filters: dict[str, Any]) -> int:
        return self._collection.count(condition_of(filters))

    def embedding_retrieval(
        self,
        query_embedding: list[float],
        *,
        filters: dict[str, Any] | None = None,
        top_k: int = 10,
        return_embedding: bool = False,
    ) -> list[Document]:
        """The documents nearest to an embedding of those that match, with their scores, best first."""
        if not self._collection.dim:
            return []
        result = self._collection.search(
            query_embedding, top_k, filter=condition_of(filters), vectors=return_embedding
        )
        return [_document(hit, self._score(hit), embedding=return_embedding) for hit in result]

    def _score(self, hit: Hit) -> float:
        return -(max(hit.distance, 0.0) ** 0.5) if self._collection.metric == "l2" else 1.0 - hit.distance

    def count_unique_metadata_by_filter(self, filters: dict[str, Any], metadata_fields: list[str]) -> dict[str, int]:
        """How many distinct values each field has in what matches."""
        return {field.removeprefix("meta."): len(self._distinct(field, filters)) for field in metadata_fields}

    def get_metadata_fields_info(self) -> dict[str, dict[str, str]]:
        """The fields that documents have, each with its type: boolean, int, float or keyword."""
        types: dict[str, str] = {}
        for record in self._collection.scan():
            types.update(
                (key, _type_name(value))
                for key, value in record.payload.items()
                if value is not None and key not in _OWN_KEYS
            )
        return {key: {"type": name} for key, name in types.items()}

    def get_metadata_field_min_max(self, metadata_field: str) -> dict[str, Any]:
        """The smallest and largest value of a field; None where it has none, or both text and numbers."""
        path = compare.path_of(_names_of(metadata_field))
        facets = self._collection.facets(Path(path), compare.is_single(path), limit=0)
        if isinstance(facets.min, str) != isinstance(facets.max, str):  # text and numbers have no common order
            return {"min": None, "max": None}
        return {"min": facets.min, "max": facets.max}

    def get_metadata_field_unique_values(
        self,
        metadata_field: str,
        search_term: str | None = None,
        from_: int = 0,
        size: int = 10,
        filters: dict[str, Any] | None = None,
    ) -> tuple[list[Any], int]:
        """Distinct values of a field, as text in order, from from_ on, and how many there are.

        1, 1.0 and True differ. search_term: those that have it in their text, whatever the case.
        """
        values = self._distinct(metadata_field, filters)
        if search_term:
            values = [value for value in values if search_term.lower() in str(value).lower()]
        values.sort(key=lambda value: (str(value), type(value).__name__))
        return values[from_ : from_ + size], len(values)

    def _distinct(self, field: str, filters: Filters | None) -> list[Any]:
        """The field's distinct values that are not None, lists and dicts as wholes.

        Facets have the texts and bools; 1 and 1.0 are one value to them, and so is each element of a list.
        """
        names = _names_of(field)
        path = compare.path_of(names)
        asked, of_facets = condition_of(filters), compare.is_text_or_bool(path)
        condition = compare.ALWAYS if asked is None else asked
        facets = self._collection.facets(Path(path), condition & of_facets, limit=_ALL)
        others: dict[str, Any] = {}
        for record in self._collection.scan(condition & Condition(f"{path} IS NOT NULL") & compare.not_(of_facets)):
            value = _value_at(record.payload, names)
            others.setdefault(json.dumps(value, sort_keys=True), value)
        return [*(facet.value for facet in facets), *others.values()]

    # The same for asyncio, in a thread

    async def count_documents_async(self) -> int:
        return await asyncio.to_thread(self.count_documents)

    async def filter_documents_async(self, filters: dict[str, Any] | None = None) -> list[Document]:
        return await asyncio.to_thread(self.filter_documents, filters)

    async def write_documents_async(
        self, documents: list[Document], policy: DuplicatePolicy = DuplicatePolicy.NONE
    ) -> int:
        return await asyncio.to_thread(self.write_documents, documents, policy)

    async def delete_documents_async(self, document_ids: list[str]) -> None:
        await asyncio.to_thread(self.delete_documents, document_ids)

    async def delete_all_documents_async(self, recreate_collection: bool = False) -> None:
        await asyncio.to_thread(self.delete_all_documents, recreate_collection)

    async def delete_by_filter_async(self, filters: dict[str, Any]) -> int:
        return await asyncio.to_thread(self.delete_by_filter, filters)

    async def update_by_filter_async(self, filters: dict[str, Any], meta: dict[str, Any]) -> int:
        return await asyncio.to_thread(self.update_by_filter, filters, meta)

    async def count_documents_by_filter_async(self, filters: dict[str, Any]) -> int:
        return await asyncio.to_thread(self.count_documents_by_filter, filters)

    async def embedding_retrieval_async(
        self,
        query_embedding: list[float],
        *,
        filters: dict[str, Any] | None = None,
        top_k: int = 10,
        return_embedding: bool = False,
    ) -> list[Document]:
        return await asyncio.to_thread(
            self.embedding_retrieval, query_embedding, filters=filters, top_k=top_k, return_embedding=return_embedding
        )

    async def count_unique_metadata_by_filter_async(
        self, filters: dict[str, Any], metadata_fields: list[str]
    ) -> dict[str, int]:
        return await asyncio.to_thread(self.count_unique_metadata_by_filter, filters, metadata_fields)

    async def get_metadata_fields_info_async(self) -> dict[str, dict[str, str]]:
        return await asyncio.to_thread(self.get_metadata_fields_info)

    async def get_metadata_field_min_max_async(self, metadata_field: str) -> dict[str, Any]:
        return await asyncio.to_thread(self.get_metadata_field_min_max, metadata_field)

    async def get_metadata_field_unique_values_async(
        self,
        metadata_field: str,
        search_term: str | None = None,
        from_: int = 0,
        size: int = 10,
        filters: dict[str, Any] | None = None,
    ) -> tuple[list[Any], int]:
        return await asyncio.to_thread(
            self.get_metadata_field_unique_values, metadata_field, search_term, from_, size, filters
        )


def _required(filters: Filters, call: str) -> Condition:
    condition = condition_of(filters)
    if condition is None:
        raise InvalidArgumentError(f"{call} wants filters")
    return condition


@component
class VdbxEmbeddingRetriever:
    """Finds the documents nearest to the embedding of a query. Filters of a run replace its own, or are merged in."""

    def __init__(
        self,
        document_store: VdbxDocumentStore,
        *,
        filters: dict[str, Any] | None = None,
        top_k: int = 10,
        return_embedding: bool = False,
        filter_policy: FilterPolicy | str = FilterPolicy.REPLACE,
    ) -> None:
        if not isinstance(document_store, VdbxDocumentStore):
            raise InvalidArgumentError(f"document_store is a {type(document_store).__name__}; wanted VdbxDocumentStore")
        condition_of(filters)
        self.document_store = document_store
        self.filters = filters
        self.top_k = top_k
        self.return_embedding = return_embedding
        self.filter_policy = FilterPolicy.from_str(filter_policy) if isinstance(filter_policy, str) else filter_policy

    def to_dict(self) -> dict[str, Any]:
        return default_to_dict(
            self,
            document_store=self.document_store.to_dict(),
            filters=self.filters,
            top_k=self.top_k,
            return_embedding=self.return_embedding,
            filter_policy=self.filter_policy.value,
        )

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> VdbxEmbeddingRetriever:
        parameters = dict(data["init_parameters"])
        parameters["document_store"] = VdbxDocumentStore.from_dict(parameters["document_store"])
        retriever: VdbxEmbeddingRetriever = default_from_dict(cls, {**data, "init_parameters": parameters})
        return retriever

    @component.output_types(documents=list[Document])
    def run(
        self, query_embedding: list[float], filters: dict[str, Any] | None = None, top_k: int | None = None
    ) -> dict[str, list[Document]]:
        return {"documents": self.document_store.embedding_retrieval(query_embedding, **self._options(filters, top_k))}

    @component.output_types(documents=list[Document])
    async def run_async(
        self, query_embedding: list[float], filters: dict[str, Any] | None = None, top_k: int | None = None
    ) -> dict[str, list[Document]]:
        options = self._options(filters, top_k)
        return {"documents": await self.document_store.embedding_retrieval_async(query_embedding, **options)}

    def _options(self, filters: dict[str, Any] | None, top_k: int | None) -> dict[str, Any]:
        return {
            "filters": apply_filter_policy(self.filter_policy, self.filters, filters),
            "top_k": self.top_k if top_k is None else top_k,
            "return_embedding": self.return_embedding,
        }
