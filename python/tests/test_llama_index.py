"""LlamaIndex: random filters against SimpleVectorStore, indexes opened again, retrievers, and what is refused."""

from __future__ import annotations

import importlib
import math
import random
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import vdbx

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the packages that llama_index imports
    from llama_index.core import Document, StorageContext, VectorStoreIndex
    from llama_index.core.embeddings import BaseEmbedding
    from llama_index.core.indices.vector_store import VectorIndexRetriever
    from llama_index.core.postprocessor import SimilarityPostprocessor
    from llama_index.core.schema import (
        ImageNode,
        IndexNode,
        NodeRelationship,
        NodeWithScore,
        QueryBundle,
        RelatedNodeInfo,
        TextNode,
    )
    from llama_index.core.vector_stores import SimpleVectorStore
    from llama_index.core.vector_stores.types import (
        BasePydanticVectorStore,
        FilterCondition,
        FilterOperator,
        MetadataFilter,
        MetadataFilters,
        VectorStoreQuery,
        VectorStoreQueryMode,
    )

    from vdbx.llama_index import VdbxVectorStore
    from vdbx.langchain import VdbxVectorStore as LangChainStore

Op = FilterOperator


def leaf(key: str, operator: FilterOperator, value: Any = None) -> MetadataFilter:
    return MetadataFilter(key=key, value=value, operator=operator)


def filters(*leaves: Any, condition: FilterCondition = FilterCondition.AND) -> MetadataFilters:
    return MetadataFilters(filters=list(leaves), condition=condition)


class Letters(BaseEmbedding):
    """How often a, b and c stand in a text."""

    def _get_text_embedding(self, text: str) -> list[float]:
        return [text.count(letter) + 0.01 for letter in "abc"]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)


def node(id: str, text: str, document: str | None = None, /, **metadata: Any) -> TextNode:
    made = TextNode(id_=id, text=text, metadata=metadata, embedding=Letters().get_text_embedding(text))
    if document is not None:
        made.relationships[NodeRelationship.SOURCE] = RelatedNodeInfo(node_id=document)
    return made


NODES = [
    node("1", "aaa", "d1", lang="en", year=2016),
    node("2", "aab", "d1", lang="de", year=2012, tags=["x", "y"]),
    node("3", "bbb", "d2", year=1996, tags=[]),
    node("4", "ccc"),
]


@pytest.fixture
def store(db: vdbx.Database) -> VdbxVectorStore:
    store = VdbxVectorStore(db)
    assert store.add(NODES) == ["1", "2", "3", "4"]
    return store


@pytest.fixture
def simple() -> SimpleVectorStore:
    simple = SimpleVectorStore()
    simple.add(NODES)
    return simple


def query(text: str = "aaa", k: int = 9, **options: Any) -> VectorStoreQuery:
    return VectorStoreQuery(query_embedding=Letters().get_text_embedding(text), similarity_top_k=k, **options)


def ids(store: BasePydanticVectorStore, text: str = "aaa", k: int = 9, **options: Any) -> list[str]:
    return store.query(query(text, k, **options)).ids or []


def texts(nodes: list[NodeWithScore]) -> list[str]:
    return [found.node.get_content() for found in nodes]


# Random filters against SimpleVectorStore

_WORDS = ["", "red", "Red", "green", "50%", "snake_case", "snakeXcase", "back\\slash", "Äpfel", "äpfel", "it's", "?"]
_TEXT_OPERATORS = (
    *(Op.EQ, Op.NE, Op.GT, Op.LT, Op.GTE, Op.LTE, Op.IN, Op.NIN),
    *(Op.ANY, Op.ALL, Op.CONTAINS, Op.TEXT_MATCH, Op.TEXT_MATCH_INSENSITIVE, Op.IS_EMPTY),
)
_NUMBER_OPERATORS = (Op.EQ, Op.NE, Op.GT, Op.LT, Op.GTE, Op.LTE, Op.IN, Op.NIN, Op.IS_EMPTY)
_LIST_OPERATORS = (Op.EQ, Op.NE, Op.IN, Op.NIN, Op.ANY, Op.ALL, Op.CONTAINS, Op.IS_EMPTY)
_EQUALITY_OPERATORS = (Op.EQ, Op.NE, Op.IN, Op.NIN, Op.IS_EMPTY)


def _word(rng: random.Random) -> Any:
    return rng.choice(_WORDS)


def _part(rng: random.Random) -> Any:
    word = rng.choice(_WORDS)
    begin = rng.randrange(len(word) + 1)
    return rng.choice([word, word[begin:], word[:begin], "_", "%", "\\", "E"])


def _number(rng: random.Random) -> Any:
    return rng.choice([-1, 0, 1, 2, 1995, 1996, 0.0, 1.0, 0.5, -2.25, 2**53])


def _value(rng: random.Random) -> Any:
    return rng.choice([_word, _number])(rng)


# What a key may hold, what it may be asked with, and how. Operators that SimpleVectorStore answers with a TypeError for
# such values are left out; ordering a bool is, too, which is no number here.
_Make = Callable[[random.Random], Any]
_KEYS: dict[str, tuple[_Make, _Make, tuple[FilterOperator, ...]]] = {
    "color": (_word, _part, _TEXT_OPERATORS),
    "file.name": (_word, _part, _TEXT_OPERATORS),
    "in": (_word, _part, _TEXT_OPERATORS),
    "year": (_number, _number, _NUMBER_OPERATORS),
    "flag": (lambda rng: rng.random() < 0.5, _number, _EQUALITY_OPERATORS),
    "tags": (lambda rng: rng.sample(_WORDS, rng.randrange(4)), _word, _LIST_OPERATORS),
    "numbers": (lambda rng: [_number(rng) for _ in range(rng.randrange(4))], _number, _LIST_OPERATORS),
    "mixed": (
        lambda rng: rng.choice([_value(rng), rng.random() < 0.5, [_value(rng), True], [], {"a": 1}]),
        _value,
        _EQUALITY_OPERATORS,
    ),
    "nowhere": (lambda rng: None, _part, _TEXT_OPERATORS),
    "doc_id": (lambda rng: "overwritten", lambda rng: f"d{rng.randrange(6)}", _TEXT_OPERATORS),
}


def _random_nodes(rng: random.Random, count: int) -> list[TextNode]:
    nodes = []
    for place in range(count):
        metadata = {key: make(rng) for key, (make, _, _) in _KEYS.items() if rng.random() < 0.7}
        if rng.random() < 0.2:
            metadata[rng.choice(list(_KEYS))] = None
        made = node(f"node/{place}", f"text {place}", f"d{place % 5}", **metadata)
        made.embedding = [rng.gauss(0, 1) for _ in range(8)]
        nodes.append(made)
    return nodes


def _random_leaf(rng: random.Random) -> MetadataFilter:
    key = rng.choice(list(_KEYS))
    _, make, operators = _KEYS[key]
    operator = rng.choice(operators)
    if operator in (Op.IN, Op.NIN, Op.ANY, Op.ALL):
        first = make(rng)
        kind = type(first)
        listed = [part for part in (make(rng) for _ in range(3)) if type(part) is kind]  # pydantic wants one type
        return leaf(key, operator, rng.choice([[first, *listed], [first], []]))
    return leaf(key, operator, None if operator == Op.IS_EMPTY else make(rng))


def _random_filters(rng: random.Random) -> MetadataFilters:
    leaves = [_random_leaf(rng) for _ in range(rng.choice([0, 1, 1, 2, 3, 4]))]
    return filters(*leaves, condition=rng.choice(list(FilterCondition)))


def test_random_filters_conditions_and_node_ids_as_in_simple_vector_store(db: vdbx.Database, full: bool) -> None:
    rng = random.Random(5)
    nodes = _random_nodes(rng, 60)
    simple = SimpleVectorStore()
    simple.add(nodes)
    store = VdbxVectorStore(db)
    store.add(nodes)
    compared = matched = 0
    while compared < (20_000 if full else 2_000):
        asked = VectorStoreQuery(
            query_embedding=[rng.gauss(0, 1) for _ in range(8)],
            similarity_top_k=rng.choice([1, 5, 60]),
            filters=_random_filters(rng),
            node_ids=rng.choice([None, [made.node_id for made in rng.sample(nodes, rng.randrange(1, 40))] + ["none"]]),
        )
        wanted = simple.query(asked)
        found = store.query(asked)
        assert found.ids is not None and found.similarities is not None
        assert wanted.ids is not None and wanted.similarities is not None
        assert set(found.ids) == set(wanted.ids), asked
        assert found.similarities == pytest.approx(wanted.similarities, abs=1e-5), asked
        compared += 1
        matched += len(found.ids) > 0
    assert compared * 0.3 < matched < compared * 0.95  # neither all nor nothing


def test_delete_nodes_as_in_simple_vector_store(db: vdbx.Database) -> None:
    rng = random.Random(6)
    for turn in range(20):
        nodes = _random_nodes(rng, 30)
        simple, store = SimpleVectorStore(), VdbxVectorStore(db, collection_name=f"turn{turn}")
        for each in (simple, store):
            each.add(nodes)
        chosen = rng.choice([None, [made.node_id for made in rng.sample(nodes, 10)], []])
        by = filters(_random_leaf(rng), _random_leaf(rng), condition=rng.choice(list(FilterCondition)))
        for each in (simple, store):
            each.delete_nodes(chosen, by)
        assert sorted(simple.data.embedding_dict) == sorted(found.node_id for found in store.get_nodes())


# Traps


def test_an_empty_list_of_node_ids_restricts_nothing(store: VdbxVectorStore) -> None:
    assert sorted(ids(store, node_ids=[])) == ["1", "2", "3", "4"]
    assert sorted(ids(store, node_ids=[], doc_ids=[], filters=filters(leaf("lang", Op.EQ, "en")))) == ["1"]
    assert ids(store, node_ids=["4", "2", "none"]) == ["2", "4"]
    assert ids(store, doc_ids=["d1"], node_ids=["2", "3"]) == ["2"]
    index = VectorStoreIndex.from_vector_store(store, embed_model=Letters())
    assert isinstance(retriever := index.as_retriever(similarity_top_k=9), VectorIndexRetriever)
    assert retriever._node_ids == [] and len(retriever.retrieve("aaa")) == 4


@pytest.mark.parametrize(
    ("by", "wanted"),
    [
        (filters(leaf("lang", Op.NE, "en")), "234"),
        (filters(leaf("lang", Op.NIN, ["en", "de"])), "34"),
        (filters(leaf("lang", Op.NIN, [])), "1234"),
        (filters(leaf("lang", Op.EQ, "en"), condition=FilterCondition.NOT), "234"),
        (filters(leaf("year", Op.GT, 2000), leaf("lang", Op.EQ, "de"), condition=FilterCondition.NOT), "34"),
        (filters(leaf("year", Op.NE, "2016")), "1234"),  # of another type
        (filters(leaf("tags", Op.NE, "x")), "1234"),
        (filters(leaf("tags", Op.CONTAINS, "x"), condition=FilterCondition.NOT), "134"),
        (filters(leaf("tags", Op.IS_EMPTY)), "134"),
        (filters(leaf("tags", Op.IS_EMPTY), condition=FilterCondition.NOT), "2"),
        (filters(leaf("lang", Op.EQ, None)), ""),
        (filters(leaf("lang", Op.NE, None)), "1234"),
        (filters(condition=FilterCondition.NOT), "1234"),
    ],
)
def test_negations_match_what_lacks_the_key(
    store: VdbxVectorStore, simple: SimpleVectorStore, by: MetadataFilters, wanted: str
) -> None:
    assert sorted(ids(store, filters=by)) == sorted(ids(simple, filters=by)) == list(wanted)


def test_wildcards_in_a_text_match_are_ordinary(db: vdbx.Database) -> None:
    store = VdbxVectorStore(db)
    store.add([node("1", "a", name="snake_case"), node("2", "b", name="snakeXcase"), node("3", "c", name="100%")])
    assert ids(store, filters=filters(leaf("name", Op.TEXT_MATCH, "e_c"))) == ["1"]
    assert ids(store, filters=filters(leaf("name", Op.TEXT_MATCH, "0%"))) == ["3"]
    assert sorted(ids(store, filters=filters(leaf("name", Op.TEXT_MATCH_INSENSITIVE, "SNAKE")))) == ["1", "2"]


def test_a_bool_is_found_by_0_and_1(db: vdbx.Database) -> None:
    # MetadataFilter takes no bool, and Python holds True for 1.
    store = VdbxVectorStore(db)
    store.add([node("1", "a", sold=True), node("2", "b", sold=False), node("3", "c", sold=1)])
    assert sorted(ids(store, filters=filters(leaf("sold", Op.EQ, 1)))) == ["1", "3"]
    assert sorted(ids(store, filters=filters(leaf("sold", Op.NE, 0)))) == ["1", "3"]


def test_filters_in_filters(store: VdbxVectorStore) -> None:
    either = filters(leaf("lang", Op.EQ, "en"), leaf("year", Op.LT, 2000), condition=FilterCondition.OR)
    assert sorted(ids(store, filters=filters(either, leaf("year", Op.GT, 2000)))) == ["1"]
    assert sorted(ids(store, filters=filters(either, condition=FilterCondition.NOT))) == ["2", "4"]


def test_delete_without_a_condition_removes_nothing(store: VdbxVectorStore) -> None:
    for call in (
        lambda: store.delete(None),  # type: ignore[arg-type]
        lambda: store.delete_nodes(),
        lambda: store.delete_nodes(None, filters()),
        lambda: store.delete_nodes(None, MetadataFilters(filters=[])),
    ):
        with pytest.raises(vdbx.InvalidArgumentError):
            call()
    store.delete_nodes([])
    store.delete("nowhere")
    assert len(store.collection) == 4
    store.delete("d1")
    assert sorted(ids(store)) == ["3", "4"]
    store.delete_nodes(["4", "none"])
    assert ids(store) == ["3"]
    store.clear()
    assert len(store.collection) == 0 and ids(store) == [] and store.get_nodes() == []


def test_unknown_arguments_are_refused(store: VdbxVectorStore) -> None:
    for call in (
        lambda: store.query(query(), where={"a": 1}),
        lambda: store.query(query(), mmr_threshold=0.5),
        lambda: store.query(query(mode=VectorStoreQueryMode.MMR), mmr_prefetch_k=9, mmr_prefetch_factor=2),
        lambda: store.query(query(mode=VectorStoreQueryMode.HYBRID)),
        lambda: store.query(query(alpha=0.5)),
        lambda: store.query(query(sparse_top_k=2)),
        lambda: store.query(VectorStoreQuery(query_str="aaa")),
        lambda: store.add(NODES, namespace="x"),
        lambda: store.delete("d1", namespace="x"),
        lambda: store.delete_nodes(["1"], namespace="x"),
        lambda: ids(store, filters=filters(leaf("lang", Op.IN, "en"))),
        lambda: ids(store, filters=filters(leaf("lang", Op.EQ, ["en"]))),
        lambda: ids(store, filters=filters(leaf("lang", Op.GT, None))),
        lambda: ids(store, filters=filters(leaf("year", Op.TEXT_MATCH, 5))),
        lambda: ids(store, filters=filters(leaf("tags", Op.ANY, "x"))),
    ):
        with pytest.raises(vdbx.InvalidArgumentError):
            call()
    assert len(store.collection) == 4


def test_metadata_that_uses_the_text_key_is_refused(store: VdbxVectorStore) -> None:
    with pytest.raises(vdbx.InvalidArgumentError, match="node '5': the metadata has the key 'text'"):
        store.add([node("6", "c"), node("5", "a", text="b")])
    with pytest.raises(ValueError, match="embedding"):
        store.add([TextNode(text="never embedded")])
    assert len(store.collection) == 4


def test_without_llama_index_the_error_names_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "llama_index.core.schema", None)
    monkeypatch.delitem(sys.modules, "vdbx.llama_index")
    with pytest.raises(vdbx.MissingPackageError, match=r"pip install 'vdbx\[llama-index\]'"):
        importlib.import_module("vdbx.llama_index")


# Nodes


def test_nodes_come_back_whole(db: vdbx.Database) -> None:
    store = VdbxVectorStore(db)
    written = [
        node("1", "ein Text mit Ä", "d1", year=1996, nested={"a": [1, 2.5, None]}, ref_doc_id="mine", doc_id=7),
        IndexNode(id_="2", text="to another index", index_id="other", embedding=[1, 2, 3]),
        ImageNode(id_="3", text="", image="aGk=", metadata={"n": 1}, embedding=[3, 2, 1]),
        TextNode(
            id_="4",
            text="with a template",
            embedding=[1, 1, 1],
            excluded_llm_metadata_keys=["n"],
            text_template="{content}!",
            start_char_idx=3,
        ),
    ]
    store.add(written)
    read = store.get_nodes(["4", "2", "3", "1", "none"])
    assert [found.node_id for found in read] == ["4", "2", "3", "1"]
    for found, original in zip(read, [written[3], written[1], written[2], written[0]]):
        assert found.embedding == pytest.approx(original.embedding)
        assert type(found) is type(original)
        found.embedding = original.embedding
        assert found == original
    assert [found.node_id for found in store.get_nodes(filters=filters(leaf("n", Op.EQ, 1)))] == ["3"]
    assert store.get_nodes([]) == []


def test_one_layout_for_plain_vdbx_and_langchain(db: vdbx.Database) -> None:
    from langchain_core.embeddings import DeterministicFakeEmbedding

    store = VdbxVectorStore(db, collection_name="shared")
    store.add([node("1", "aaa", year=2016)])
    assert store.collection["1"].payload["text"] == "aaa" and store.collection["1"]["year"] == 2016
    assert store.collection.search([3, 0, 0], filter="year = 2016").ids == ["1"]
    other = LangChainStore(db, DeterministicFakeEmbedding(size=3), collection_name="shared")
    other.add_texts(["bbb"], [{"year": 1996}], ids=["2"])
    found = store.get_nodes(["2"])[0]
    assert isinstance(found, TextNode) and found.text == "bbb" and found.metadata == {"year": 1996}
    assert other.get_by_ids(["1"])[0].page_content == "aaa"


def test_a_search_takes_what_vdbx_takes(store: VdbxVectorStore) -> None:
    assert store.query(query(k=1), exact=True, ef=50, timeout=60).ids == ["1"]
    with pytest.raises(vdbx.InvalidArgumentError):
        store.query(query(k=1), exact=True, timeout=-1)


# Indexes and retrievers

DOCUMENTS = [
    Document(text="aaa", doc_id="d1", metadata={"lang": "en"}),
    Document(text="aab", doc_id="d2", metadata={"lang": "de"}),
    Document(text="bbb", doc_id="d3"),
]


def build(database: vdbx.Database, metric: str | None = None) -> VectorStoreIndex:
    context = StorageContext.from_defaults(vector_store=VdbxVectorStore(database, metric=metric))
    return VectorStoreIndex.from_documents(DOCUMENTS, context, embed_model=Letters())


def test_an_index_built_closed_opened_again_and_queried(tmp_path: Path) -> None:
    with vdbx.open(tmp_path / "l.vdb") as database:
        assert texts(build(database).as_retriever(similarity_top_k=1).retrieve("aaa")) == ["aaa"]
    with vdbx.open(tmp_path / "l.vdb") as database:
        index = VectorStoreIndex.from_vector_store(VdbxVectorStore(database), embed_model=Letters())
        found = index.as_retriever(similarity_top_k=2).retrieve("aaa")
        assert texts(found) == ["aaa", "aab"]
        assert found[0].node.ref_doc_id == "d1" and found[0].node.metadata == {"lang": "en"}
        assert found[0].score == pytest.approx(1, abs=0.01)
        german = index.as_retriever(filters=filters(leaf("lang", Op.EQ, "de")))
        assert texts(german.retrieve("aaa")) == ["aab"]
        index.insert(Document(text="ccc", doc_id="d4"))
        index.update_ref_doc(Document(text="aaaa", doc_id="d1"))
        index.delete_ref_doc("d3")
        assert sorted(texts(index.as_retriever(similarity_top_k=9).retrieve("a"))) == ["aaaa", "aab", "ccc"]
    with vdbx.open(tmp_path / "l.vdb") as database:
        assert database.collection("llama_index").count("ref_doc_id = 'd1'") == 1


async def test_async(store: VdbxVectorStore) -> None:
    index = VectorStoreIndex.from_vector_store(store, embed_model=Letters())
    assert texts(await index.as_retriever(similarity_top_k=1).aretrieve("ccc")) == ["ccc"]
    await store.async_add([node("5", "cca")])
    await store.adelete_nodes(["4"])
    assert [found.node_id for found in await store.aget_nodes(["4", "5"])] == ["5"]
    for call in (store.aquery(query(), where=1), store.adelete_nodes(["5"], where=1), store.adelete("d1", where=1)):
        with pytest.raises(vdbx.InvalidArgumentError, match="unknown arguments where"):
            await call
    await store.adelete("d1")
    assert (await store.aquery(query())).ids == ["5", "3"]
    await store.aclear()
    assert len(store.collection) == 0


@pytest.mark.parametrize("metric", ["cosine", "l2", "ip"])
def test_similarities_are_llama_indexs(db: vdbx.Database, metric: str) -> None:
    store = VdbxVectorStore(db, metric=metric)
    store.add(NODES)
    result = store.query(query("aab"))
    assert result.nodes is not None and result.similarities is not None
    assert result.similarities == sorted(result.similarities, reverse=True)
    asked = Letters().get_text_embedding("aab")
    written = {made.node_id: made.get_embedding() for made in NODES}
    for found, similarity in zip(result.nodes, result.similarities):
        embedding = written[found.node_id]
        dot = sum(a * b for a, b in zip(asked, embedding))
        norms = math.hypot(*asked) * math.hypot(*embedding)
        distance = math.dist(asked, embedding)
        wanted = {"cosine": dot / norms, "ip": dot, "l2": -distance}
        assert similarity == pytest.approx(wanted[metric], abs=1e-4)


def test_mmr_as_in_simple_vector_store(db: vdbx.Database) -> None:
    rng = random.Random(7)
    nodes = _random_nodes(rng, 40)
    simple, store = SimpleVectorStore(), VdbxVectorStore(db)
    for each in (simple, store):
        each.add(nodes)
    embedding = [rng.gauss(0, 1) for _ in range(8)]
    for threshold in (0.1, 0.3, 0.5, 0.9, 1.0):
        mmr = VectorStoreQuery(embedding, similarity_top_k=9, mode=VectorStoreQueryMode.MMR)
        found = store.query(mmr, mmr_threshold=threshold, mmr_prefetch_k=40)
        wanted = simple.query(mmr, mmr_threshold=threshold)
        assert found.ids == wanted.ids
        assert found.similarities == pytest.approx(wanted.similarities, abs=1e-5)


def test_an_mmr_retriever_prefers_what_is_unlike(store: VdbxVectorStore) -> None:
    index = VectorStoreIndex.from_vector_store(store, embed_model=Letters())
    assert texts(index.as_retriever(similarity_top_k=2).retrieve("aaaaaaab")) == ["aaa", "aab"]
    kwargs = {"mmr_threshold": 0.1, "mmr_prefetch_factor": 4}
    mode = VectorStoreQueryMode.MMR
    retriever = index.as_retriever(similarity_top_k=2, vector_store_query_mode=mode, vector_store_kwargs=kwargs)
    assert texts(retriever.retrieve("aaaaaaab"))[0] == "aaa" and texts(retriever.retrieve("aaaaaaab"))[1] != "aab"
    assert ids(store, mode=mode, filters=filters(leaf("lang", Op.EQ, "fr"))) == []


def test_a_score_threshold(store: VdbxVectorStore) -> None:
    index = VectorStoreIndex.from_vector_store(store, embed_model=Letters())
    retriever = index.as_retriever(similarity_top_k=4)
    cut = SimilarityPostprocessor(similarity_cutoff=0.8)
    assert texts(cut.postprocess_nodes(retriever.retrieve("aaa"), QueryBundle("aaa"))) == ["aaa", "aab"]
    own = index.as_retriever(similarity_top_k=4, vector_store_kwargs={"similarity_cutoff": 0.8})
    assert texts(own.retrieve("aaa")) == ["aaa", "aab"]
