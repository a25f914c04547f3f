"""LlamaIndex: VdbxVectorStore over a collection. Needs llama-index-core: pip install 'vdbx[llama-index]'.

    store = VdbxVectorStore(vdbx.open("notes.vdb"))
    index = VectorStoreIndex.from_documents(documents, StorageContext.from_defaults(vector_store=store))
    index = VectorStoreIndex.from_vector_store(store)  # the next time

A node's metadata is the record's payload, its text stands beside it as "text": what one framework wrote, filters, other
frameworks and plain vdbx read too. The rest of the node is kept under "_node_content".
"""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vdbx import _comparisons as compare
from vdbx._collection import TEXT_KEY, Collection
from vdbx._database import Database
from vdbx._errors import InvalidArgumentError, MissingPackageError
from vdbx._filter import Condition
from vdbx._records import Record, SearchResult

try:
    from llama_index.core.base.embeddings.base import SimilarityMode, similarity
    from llama_index.core.bridge.pydantic import PrivateAttr
    from llama_index.core.indices.query.embedding_utils import get_top_k_mmr_embeddings
    from llama_index.core.schema import BaseNode, MetadataMode, TextNode
    from llama_index.core.vector_stores.types import (
        BasePydanticVectorStore,
        FilterCondition,
        FilterOperator,
        MetadataFilter,
        MetadataFilters,
        VectorStoreQuery,
        VectorStoreQueryMode,
        VectorStoreQueryResult,
    )
    from llama_index.core.vector_stores.utils import metadata_dict_to_node, node_to_metadata_dict
except ImportError as missing:
    raise MissingPackageError(f"vdbx.llama_index: {missing}. Install it: pip install 'vdbx[llama-index]'") from missing

_CONTENT_KEY = "_node_content"
_TYPE_KEY = "_node_type"
_DOCUMENT_KEY = "ref_doc_id"
_OWN_KEYS = (TEXT_KEY, _CONTENT_KEY, _TYPE_KEY, _DOCUMENT_KEY)
# By these names LlamaIndex's own stores know the document that a node is from.
_DOCUMENT_NAMES = (_DOCUMENT_KEY, "doc_id", "document_id")

_MMR_PREFETCH_FACTOR = 4.0

_ORDER = {
    FilterOperator.GT: ">",
    FilterOperator.GTE: ">=",
    FilterOperator.LT: "<",
    FilterOperator.LTE: "<=",
}


def _condition(filters: MetadataFilters) -> Condition:
    """As LlamaIndex's SimpleVectorStore: what lacks the key matches !=, nin, is_empty and NOT alone."""
    if not filters.filters:
        return compare.ALWAYS
    parts = [_condition(part) if isinstance(part, MetadataFilters) else _leaf(part) for part in filters.filters]
    if filters.condition == FilterCondition.OR:
        return compare.one_of(parts)
    if filters.condition == FilterCondition.NOT:
        return compare.not_(compare.one_of(parts))
    return compare.every(parts)


def _leaf(filter: MetadataFilter) -> Condition:
    operator, value = filter.operator, filter.value
    # A key is one name, also with a dot in it.
    path = compare.path_of([_DOCUMENT_KEY if filter.key in _DOCUMENT_NAMES else filter.key])
    if operator == FilterOperator.IS_EMPTY:
        return Condition(f"{path} IS NULL OR {path} = ''", (), "OR") | compare.is_empty_list(path)
    if operator in (FilterOperator.EQ, FilterOperator.NE):
        equal = compare.NEVER if value is None else compare.equal(path, [_scalar(filter)])
        return equal if operator == FilterOperator.EQ else compare.not_(equal)
    if operator in (FilterOperator.IN, FilterOperator.NIN):
        within = compare.equal(path, _list(filter))
        return within if operator == FilterOperator.IN else compare.not_(within)
    if operator in _ORDER:
        return Condition(f"{path} {_ORDER[operator]} ?", (_scalar(filter),))
    if operator in (FilterOperator.TEXT_MATCH, FilterOperator.TEXT_MATCH_INSENSITIVE):
        if not isinstance(value, str):
            raise _unfit(filter, "a str")
        return compare.has_text(path, value, ignore_case=operator == FilterOperator.TEXT_MATCH_INSENSITIVE)
    if operator == FilterOperator.CONTAINS:
        return _contains(path, _scalar(filter))
    if operator == FilterOperator.ANY:
        return compare.one_of([_contains(path, part) for part in _list(filter)])
    if operator == FilterOperator.ALL:
        present = Condition(f"{path} IS NOT NULL")
        return compare.every([present, *(_contains(path, part) for part in _list(filter))])
    raise InvalidArgumentError(f"filter operator {operator!r} on {filter.key!r} is not known")


def _contains(path: str, value: Any) -> Condition:
    """As Python's `in`: an element of a list, a part of a text."""
    element = compare.contains_any(path, [value])
    return element | compare.has_text(path, value) if isinstance(value, str) else element


def _scalar(filter: MetadataFilter) -> Any:
    if filter.value is None or isinstance(filter.value, list):
        raise _unfit(filter, "a str, int or float")
    return filter.value


def _list(filter: MetadataFilter) -> list[Any]:
    if not isinstance(filter.value, list):
        raise _unfit(filter, "a list")
    return filter.value


def _unfit(filter: MetadataFilter, wanted: str) -> InvalidArgumentError:
    return InvalidArgumentError(
        f"filter {filter.key!r} {filter.operator.value} {filter.value!r}: wanted {wanted} for this operator"
    )


def _refuse(unknown: Mapping[str, Any], call: str) -> None:
    if unknown:
        raise InvalidArgumentError(f"{call}: unknown arguments {', '.join(sorted(unknown))}")


class VdbxVectorStore(BasePydanticVectorStore):
    """Nodes in a collection, which is made if it is not there; its dimension is that of the first embedding.

    Similarities are LlamaIndex's own: the cosine, the dot product (ip), or the negative distance (l2). Queries: mode
    default or mmr; as vector_store_kwargs ef, min_recall, exact and timeout, similarity_cutoff, and for mmr mmr_threshold with
    mmr_prefetch_factor (of top_k, 4 if not given) or mmr_prefetch_k.
    """

    stores_text: bool = True
    _collection: Collection = PrivateAttr()

    def __init__(
        self,
        database: Database,
        *,
        collection_name: str = "llama_index",
        dim: int | None = None,
        metric: str | None = None,
    ) -> None:
        super().__init__(stores_text=True)
        self._collection = database.collection(collection_name, dim=dim, metric=metric)

    @classmethod
    def class_name(cls) -> str:
        return "VdbxVectorStore"

    @property
    def client(self) -> Collection:
        """The collection underneath."""
        return self._collection

    @property
    def collection(self) -> Collection:
        """The collection underneath."""
        return self._collection

    # Writing

    def add(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[str]:
        """Writes nodes with their embeddings; a node whose id is there is replaced."""
        _refuse(kwargs, "add")
        ids = [node.node_id for node in nodes]
        if not ids:
            return []
        payloads = [_payload(node) for node in nodes]
        return self._collection.upsert(ids, [node.get_embedding() for node in nodes], payloads)

    def delete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        """Removes the nodes of a document."""
        _refuse(delete_kwargs, "delete")
        if not isinstance(ref_doc_id, str):
            raise InvalidArgumentError(f"delete: ref_doc_id is {ref_doc_id!r}; wanted a str")
        self._collection.delete(filter=f"{_DOCUMENT_KEY} = ?", params=[ref_doc_id])

    def delete_nodes(
        self,
        node_ids: list[str] | None = None,
        filters: MetadataFilters | None = None,
        **delete_kwargs: Any,
    ) -> None:
        """Removes nodes by ids, by filters, or those that fit both; without either it is an error."""
        _refuse(delete_kwargs, "delete_nodes")
        if node_ids is None and (filters is None or not filters.filters):
            raise InvalidArgumentError("delete_nodes wants node_ids or filters; clear() removes every node")
        if node_ids is not None and not node_ids:
            return
        self._collection.delete(filter=compare.every(_restrictions(node_ids, None, filters)))

    def clear(self) -> None:
        """Removes every node."""
        self._collection.delete(filter="TRUE")

    # Reading

    def get_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None
    ) -> list[BaseNode]:
        """The nodes of these ids, in their order, or all; of them those that match the filters."""
        if node_ids is not None and not node_ids:
            return []
        restrictions = _restrictions(node_ids, None, filters)
        nodes = [_node(record) for record in self._collection.scan(compare.every(restrictions), vectors=True)]
        if not node_ids:
            return nodes
        places = {id: place for place, id in reversed(list(enumerate(node_ids)))}
        return sorted(nodes, key=lambda node: places[node.node_id])

    def query(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """The nodes most similar to the query's embedding. An empty list of ids restricts nothing."""
        is_mmr = query.mode == VectorStoreQueryMode.MMR
        known = (*_SEARCH_OPTIONS, "similarity_cutoff", *(("mmr_threshold", *_MMR_OPTIONS) if is_mmr else ()))
        _refuse({name: 0 for name in kwargs if name not in known}, "query")
        _check(query)
        cutoff = kwargs.pop("similarity_cutoff", None)
        restrictions = _restrictions(query.node_ids, query.doc_ids, query.filters)
        options: dict[str, Any] = {name: kwargs[name] for name in _SEARCH_OPTIONS if name in kwargs}
        if restrictions:
            options["filter"] = compare.every(restrictions)
        if is_mmr:
            found, similarities = self._mmr(query, kwargs, options)
        else:
            result = self._collection.search(query.query_embedding or [], query.similarity_top_k, **options)
            found = list(result)
            similarities = [self._similarity(distance) for distance in result.distances]
        if cutoff is not None:
            found = [record for record, similarity in zip(found, similarities) if similarity >= cutoff]
            similarities = [similarity for similarity in similarities if similarity >= cutoff]
        return VectorStoreQueryResult(
            nodes=[_node(record) for record in found],
            similarities=similarities,
            ids=[record.id for record in found],
        )

    # The same for asyncio, in a thread

    async def async_add(self, nodes: Sequence[BaseNode], **kwargs: Any) -> list[str]:
        return await asyncio.to_thread(self.add, nodes, **kwargs)

    async def adelete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        await asyncio.to_thread(self.delete, ref_doc_id, **delete_kwargs)

    async def adelete_nodes(
        self,
        node_ids: list[str] | None = None,
        filters: MetadataFilters | None = None,
        **delete_kwargs: Any,
    ) -> None:
        await asyncio.to_thread(self.delete_nodes, node_ids, filters, **delete_kwargs)

    async def aclear(self) -> None:
        await asyncio.to_thread(self.clear)

    async def aget_nodes(
        self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None
    ) -> list[BaseNode]:
        return await asyncio.to_thread(self.get_nodes, node_ids, filters)

    async def aquery(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        return await asyncio.to_thread(self.query, query, **kwargs)

    def _mmr(
        self, query: VectorStoreQuery, kwargs: dict[str, Any], options: dict[str, Any]
    ) -> tuple[list[Record], list[float]]:
        """top_k of the nearest, each unlike those before it; similarities are what LlamaIndex ranks them by."""
        top_k = query.similarity_top_k
        if all(name in kwargs for name in _MMR_OPTIONS):
            raise InvalidArgumentError(f"query: {' and '.join(_MMR_OPTIONS)} are both given; wanted one")
        prefetch = kwargs.get("mmr_prefetch_k", int(top_k * kwargs.get("mmr_prefetch_factor", _MMR_PREFETCH_FACTOR)))
        embedding = query.query_embedding or []
        result: SearchResult = self._collection.search(embedding, max(prefetch, top_k), vectors=True, **options)
        if not len(result):
            return [], []
        threshold = kwargs.get("mmr_threshold", query.mmr_threshold)
        similarities, chosen = get_top_k_mmr_embeddings(
            embedding,
            [list(row) for row in result.to_numpy()],
            similarity_fn=self._similarity_function(),
            similarity_top_k=top_k,
            embedding_ids=list(range(len(result))),
            mmr_threshold=threshold,
        )
        return [result[place] for place in chosen], [float(similarity) for similarity in similarities]

    def _similarity(self, distance: float) -> float:
        return -(max(float(distance), 0.0) ** 0.5) if self._collection.metric == "l2" else 1.0 - float(distance)

    def _similarity_function(self) -> Callable[..., float]:
        modes = {"cosine": SimilarityMode.DEFAULT, "l2": SimilarityMode.EUCLIDEAN, "ip": SimilarityMode.DOT_PRODUCT}
        return functools.partial(similarity, mode=modes[self._collection.metric])


_SEARCH_OPTIONS = ("ef", "min_recall", "exact", "timeout")
_MMR_OPTIONS = ("mmr_prefetch_k", "mmr_prefetch_factor")


def _check(query: VectorStoreQuery) -> None:
    if query.mode not in (VectorStoreQueryMode.DEFAULT, VectorStoreQueryMode.MMR):
        raise InvalidArgumentError(f"query mode {query.mode.value!r}; wanted default or mmr")
    if query.query_embedding is None:
        raise InvalidArgumentError("the query has no embedding; wanted an index with an embed_model")
    for name in ("alpha", "embedding_field", "hybrid_top_k", "output_fields", "sparse_top_k"):
        if getattr(query, name) is not None:
            raise InvalidArgumentError(f"query: {name} is {getattr(query, name)!r}; this store has no use for it")


def _restrictions(
    node_ids: list[str] | None, doc_ids: list[str] | None, filters: MetadataFilters | None
) -> list[Condition]:
    """What a record must fulfil. VectorStoreIndex gives node_ids=[] where it means every node."""
    conditions = []
    for path, ids in (("$id", node_ids), (_DOCUMENT_KEY, doc_ids)):
        if ids:
            conditions.append(Condition(f"{path} IN ?", (list(ids),)))
    if filters is not None and filters.filters:
        conditions.append(_condition(filters))
    return conditions


def _payload(node: BaseNode) -> dict[str, Any]:
    """Metadata, text, and under _node_content what else there is of the node."""
    described = node_to_metadata_dict(node, remove_text=True)
    content = json.loads(described[_CONTENT_KEY])
    metadata = content.pop("metadata")
    if TEXT_KEY in metadata:
        raise InvalidArgumentError(
            f"node {node.node_id!r}: the metadata has the key '{TEXT_KEY}', where the text is stored"
        )
    payload = {key: value for key, value in metadata.items() if key not in _OWN_KEYS}
    # Metadata that has a name of ours, as a node that another store gave back may.
    content["metadata"] = {key: value for key, value in metadata.items() if key in _OWN_KEYS}
    payload[TEXT_KEY] = node.get_content(MetadataMode.NONE) or ""
    if node.ref_doc_id is not None:
        payload[_DOCUMENT_KEY] = node.ref_doc_id
    payload[_TYPE_KEY] = described[_TYPE_KEY]
    payload[_CONTENT_KEY] = json.dumps(content, ensure_ascii=False)
    return payload


def _node(record: Record) -> BaseNode:
    """The node as it was written; of a record that was written otherwise, a TextNode."""
    payload = record.payload
    metadata = {key: value for key, value in payload.items() if key not in _OWN_KEYS}
    text = payload.get(TEXT_KEY, "")
    text = text if isinstance(text, str) else json.dumps(text)
    if _CONTENT_KEY in payload:
        node = metadata_dict_to_node(payload, text=text)
        node.metadata = {**metadata, **node.metadata}
    else:
        node = TextNode(id_=record.id, text=text, metadata=metadata)
    node.embedding = None if record.vector is None else record.vector.tolist()
    return node
