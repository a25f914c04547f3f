"""LangChain: its own tests for each metric, index(), retrievers, and what is refused."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding, Embeddings
from langchain_core.indexing import InMemoryRecordManager, index
from langchain_tests.integration_tests import VectorStoreIntegrationTests

import vdbx
from vdbx import F
from vdbx.langchain import VdbxVectorStore


class _Standard(VectorStoreIntegrationTests):
    metric = ""

    @pytest.fixture
    def vectorstore(self, tmp_path: Path) -> Iterator[VdbxVectorStore]:  # type: ignore[override]
        with vdbx.open(tmp_path / "langchain.vdb", sync=False) as db:
            yield VdbxVectorStore(db, self.get_embeddings(), metric=self.metric)


class TestCosine(_Standard):
    metric = "cosine"


class TestL2(_Standard):
    metric = "l2"


class TestInnerProduct(_Standard):
    metric = "ip"


class Letters(Embeddings):
    """How often a, b and c stand in a text."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [[text.count(letter) + 0.01 for letter in "abc"] for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


DOCUMENTS = [
    Document("aaa", metadata={"year": 2016, "lang": "en"}),
    Document("aab", metadata={"year": 2012, "lang": "de"}),
    Document("bbb", metadata={"year": 1996, "tags": ["x"]}),
    Document("ccc", metadata={}),
]


@pytest.fixture
def store(db: vdbx.Database) -> VdbxVectorStore:
    store = VdbxVectorStore(db, Letters())
    store.add_documents(DOCUMENTS)
    return store


def texts(documents: list[Document]) -> list[str]:
    return [document.page_content for document in documents]


def test_documents_come_back_whole(store: VdbxVectorStore) -> None:
    found = store.similarity_search("aaa", k=1)[0]
    assert (found.page_content, found.metadata) == ("aaa", {"year": 2016, "lang": "en"})
    assert store.get_by_ids([str(found.id), "nowhere"]) == [found]
    assert store.embeddings is not None and len(store.collection) == 4


def test_adding_twice_adds_once(store: VdbxVectorStore) -> None:
    store.add_documents(DOCUMENTS)
    assert len(store.collection) == 4
    store.add_texts(["aaa"], [{"year": 2017}])  # the same text from another place is another document
    assert len(store.collection) == 5


@pytest.mark.parametrize(
    "filter, params, expected",
    [
        ("year > ?", [2000], ["aaa", "aab"]),
        (F.lang == "de", None, ["aab"]),
        ({"lang": "en"}, None, ["aaa"]),
        ({"year": {"$gte": 1996, "$lt": 2016}}, None, ["aab", "bbb"]),
        ({"$or": [{"lang": "de"}, {"tags": {"$contains": "x"}}]}, None, ["aab", "bbb"]),
        ({"$and": [{"year": {"$ne": 2016}}, {"year": {"$nin": [1996]}}]}, None, ["aab"]),
        ({"$not": {"year": {"$lte": 2012}}}, None, ["aaa"]),
        ({"lang": {"$in": ["en", "de"]}, "year": {"$gt": 2012}}, None, ["aaa"]),
        ({"year": None}, None, ["ccc"]),
        ({"lang": {"$like": "e%"}}, None, ["aaa"]),
        ({}, None, ["aaa", "aab", "bbb", "ccc"]),
    ],
)
def test_filters(store: VdbxVectorStore, filter: Any, params: Any, expected: list[str]) -> None:
    assert sorted(texts(store.similarity_search("a", k=9, filter=filter, params=params))) == expected
    found = store.similarity_search_with_score("a", k=9, filter=filter, params=params)
    assert sorted(document.page_content for document, _ in found) == expected
    distances = [distance for _, distance in found]
    assert distances == sorted(distances)


@pytest.mark.parametrize("filter", [{"year": {"$near": 5}}, {"$nor": []}, "year >", 5])
def test_unknown_filters_are_refused(store: VdbxVectorStore, filter: Any) -> None:
    with pytest.raises(vdbx.InvalidArgumentError):
        store.similarity_search("a", filter=filter)


def test_unknown_arguments_are_refused(store: VdbxVectorStore) -> None:
    for call in (
        lambda: store.similarity_search("a", where={"a": 1}),
        lambda: store.similarity_search_with_score("a", fetch_k=3),
        lambda: store.max_marginal_relevance_search("a", where=1),
        lambda: store.add_texts(["a"], namespace="x"),
        lambda: store.delete(["a"], namespace="x"),
        lambda: VdbxVectorStore.from_texts(["a"], Letters(), database=store.collection.database, path="x"),
        lambda: VdbxVectorStore.from_texts(["a"], Letters()),
    ):
        with pytest.raises(vdbx.InvalidArgumentError):
            call()


def test_a_retrievers_filter_is_not_ignored(store: VdbxVectorStore) -> None:
    with pytest.raises(vdbx.InvalidArgumentError, match="search_kwargs={'filter'"):
        store.as_retriever(filter={"lang": "en"})
    retriever = store.as_retriever(search_kwargs={"k": 3, "filter": "lang = ?", "params": ["en"]})
    assert texts(retriever.invoke("b")) == ["aaa"]


def test_delete_without_a_condition_removes_nothing(store: VdbxVectorStore) -> None:
    for call in (lambda: store.delete(None), lambda: store.delete(), lambda: store.delete(filter={})):
        with pytest.raises(vdbx.InvalidArgumentError):
            call()
    assert store.delete([]) is True
    assert len(store.collection) == 4
    assert store.delete(filter={"lang": "en"}) is True
    assert len(store.collection) == 3


def test_metadata_that_uses_the_text_key_is_refused(store: VdbxVectorStore) -> None:
    with pytest.raises(vdbx.InvalidArgumentError, match="row 0: the metadata has the key 'text'"):
        store.add_texts(["a"], [{"text": "b"}])
    with pytest.raises(vdbx.InvalidArgumentError, match="2 texts, 1 metadatas and 2 ids"):
        store.add_texts(["a", "b"], [{}])
    assert len(store.collection) == 4


def test_mmr_prefers_what_is_unlike(store: VdbxVectorStore) -> None:
    assert texts(store.similarity_search("aaaaaaab", k=2)) == ["aaa", "aab"]
    assert texts(store.max_marginal_relevance_search("aaaaaaab", k=2, fetch_k=4, lambda_mult=0.1)) == ["aaa", "bbb"]
    retriever = store.as_retriever(search_type="mmr", search_kwargs={"k": 2, "lambda_mult": 1.0})
    assert texts(retriever.invoke("aaaaaaab")) == ["aaa", "aab"]
    assert store.max_marginal_relevance_search("a", filter="FALSE") == []


@pytest.mark.parametrize("metric", ["cosine", "l2", "ip"])
def test_relevance_stays_within_its_bounds(db: vdbx.Database, metric: str) -> None:
    store = VdbxVectorStore(db, DeterministicFakeEmbedding(size=64), collection_name=metric, metric=metric)
    words = [f"word {i}" for i in range(200)]
    store.add_texts(words)
    for word in words[:20]:
        scores = [score for _, score in store.similarity_search_with_relevance_scores(word, k=200)]
        assert len(scores) == 200 and all(0 <= score <= 1 for score in scores)
        assert scores == sorted(scores, reverse=True)


def test_a_score_threshold(store: VdbxVectorStore) -> None:
    kwargs = {"score_threshold": 0.8, "k": 4}
    retriever = store.as_retriever(search_type="similarity_score_threshold", search_kwargs=kwargs)
    assert texts(retriever.invoke("aaa")) == ["aaa", "aab"]


def test_index_with_incremental_cleanup(db: vdbx.Database) -> None:
    store = VdbxVectorStore(db, Letters())
    manager = InMemoryRecordManager("notes")
    manager.create_schema()
    options: dict[str, Any] = {"cleanup": "incremental", "source_id_key": "source", "key_encoder": "sha256"}

    def run(*pairs: tuple[str, str]) -> dict[str, int]:
        documents = [Document(text, metadata={"source": source}) for text, source in pairs]
        return dict(index(documents, manager, store, **options))

    first = run(("aaa", "1"), ("bbb", "2"))
    assert first == {"num_added": 2, "num_updated": 0, "num_skipped": 0, "num_deleted": 0}
    assert run(("aaa", "1"), ("bbb", "2"))["num_skipped"] == 2
    changed = run(("aac", "1"), ("bbb", "2"))
    assert (changed["num_added"], changed["num_deleted"], changed["num_skipped"]) == (1, 1, 1)
    assert sorted(record["text"] for record in store.collection.scan()) == ["aac", "bbb"]


def test_reopened_and_read_without_langchain(tmp_path: Path) -> None:
    with vdbx.open(tmp_path / "l.vdb") as db:
        VdbxVectorStore.from_texts(["aaa", "bbb"], Letters(), [{"n": 1}, {"n": 2}], ids=["x", "y"], database=db)
    with vdbx.open(tmp_path / "l.vdb") as db:
        assert VdbxVectorStore(db, Letters()).similarity_search("b", k=1)[0].id == "y"
        assert db.collection("langchain").search(np.array([1, 0, 0]), k=1)[0].payload == {"n": 1, "text": "aaa"}


class Renamed(Letters):
    """The same vectors from another class."""


class Vowels(Letters):
    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [[text.count(letter) + 0.01 for letter in "aeo"] for text in texts]


def test_another_embedding_is_refused_by_its_vectors(store: VdbxVectorStore) -> None:
    database = store.collection.database
    assert texts(VdbxVectorStore(database, Renamed()).similarity_search("aaa", k=1)) == ["aaa"]
    other = VdbxVectorStore(database, Vowels())
    for call in (
        lambda: other.similarity_search("aaa"),
        lambda: other.similarity_search_with_score("aaa"),
        lambda: other.max_marginal_relevance_search("aaa"),
        lambda: other.add_texts(["new"]),
    ):
        with pytest.raises(vdbx.EmbeddingMismatchError, match=r"Vowels is not the model .* \(Letters\)"):
            call()
    assert len(store.collection) == 4
    with pytest.raises(vdbx.EmbeddingMismatchError, match="stores 3 components; DeterministicFakeEmbedding makes 5"):
        VdbxVectorStore(database, DeterministicFakeEmbedding(size=5)).similarity_search("aaa")


def test_a_new_store_asks_nothing_of_its_embedding(db: vdbx.Database) -> None:
    class Down(Letters):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            raise ConnectionError("down")

    store = VdbxVectorStore(db, Down())
    assert store.collection.dim == 0 and store.get_by_ids(["a"]) == []
    with pytest.raises(ConnectionError):
        store.add_texts(["a"])


async def test_async(store: VdbxVectorStore) -> None:
    assert texts(await store.asimilarity_search("aaa", k=1, filter={"lang": "de"})) == ["aab"]
    assert texts(await store.amax_marginal_relevance_search("aaaaaaab", k=1)) == ["aaa"]
    assert texts(await store.as_retriever(search_kwargs={"k": 1}).ainvoke("c")) == ["ccc"]


def test_without_langchain_the_error_names_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "langchain_core.documents", None)
    monkeypatch.delitem(sys.modules, "vdbx.langchain")
    with pytest.raises(vdbx.MissingPackageError, match=r"pip install 'vdbx\[langchain\]'"):
        importlib.import_module("vdbx.langchain")
