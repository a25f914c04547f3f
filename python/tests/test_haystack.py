"""Haystack: its own tests, sync and async, random filters against its reference, pipelines, and what is refused."""

from __future__ import annotations

import datetime
import importlib
import os
import random
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import vdbx

os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the packages that haystack imports
    from haystack import Pipeline
    from haystack.dataclasses import ByteStream, Document, SparseEmbedding
    from haystack.document_stores.errors import DuplicateDocumentError
    from haystack.document_stores.types import DuplicatePolicy
    from haystack.errors import FilterError
    from haystack.testing import document_store as sync_tests
    from haystack.testing import document_store_async as async_tests
    from haystack.utils.filters import document_matches_filter

    from vdbx.haystack import VdbxDocumentStore, VdbxEmbeddingRetriever


def same(received: list[Document], expected: list[Document]) -> None:
    """Equal but for order, and for embeddings, which are float32."""
    assert len(received) == len(expected)
    by_id = {document.id: document.to_dict(flatten=False) for document in expected}
    for document in received:
        found, wanted = document.to_dict(flatten=False), by_id[document.id]
        assert found.pop("embedding") == pytest.approx(wanted.pop("embedding"), abs=1e-6)
        assert found == wanted


class _Compared:
    @staticmethod
    def assert_documents_are_equal(received: list[Document], expected: list[Document]) -> None:
        same(received, expected)

    @pytest.fixture
    def document_store(self, db: vdbx.Database) -> VdbxDocumentStore:
        # l2 and ip keep a vector as it is; cosine keeps its direction.
        return VdbxDocumentStore(db, metric="ip")


class TestSync(
    _Compared,
    sync_tests.DocumentStoreBaseExtendedTests,
    sync_tests.CountDocumentsByFilterTest,
    sync_tests.CountUniqueMetadataByFilterTest,
    sync_tests.GetMetadataFieldsInfoTest,
    sync_tests.GetMetadataFieldMinMaxTest,
    sync_tests.GetMetadataFieldUniqueValuesTest,
):
    def test_write_documents(self, document_store: VdbxDocumentStore) -> None:  # type: ignore[override]
        document = Document(content="test doc")
        assert document_store.write_documents([document]) == 1
        with pytest.raises(DuplicateDocumentError):
            document_store.write_documents([document])
        same(document_store.filter_documents(), [document])


class TestAsync(
    _Compared,
    async_tests.CountDocumentsAsyncTest,
    async_tests.WriteDocumentsAsyncTest,
    async_tests.DeleteDocumentsAsyncTest,
    async_tests.FilterDocumentsAsyncTest,
    async_tests.DeleteAllAsyncTest,
    async_tests.DeleteByFilterAsyncTest,
    async_tests.UpdateByFilterAsyncTest,
    async_tests.CountDocumentsByFilterAsyncTest,
    async_tests.CountUniqueMetadataByFilterAsyncTest,
    async_tests.GetMetadataFieldsInfoAsyncTest,
    async_tests.GetMetadataFieldMinMaxAsyncTest,
    async_tests.GetMetadataFieldUniqueValuesAsyncTest,
):
    async def test_write_documents_async(self, document_store: VdbxDocumentStore) -> None:  # type: ignore[override]
        document = Document(content="test doc")
        assert await document_store.write_documents_async([document]) == 1
        with pytest.raises(DuplicateDocumentError):
            await document_store.write_documents_async([document])
        same(await document_store.filter_documents_async(), [document])


def test_all_of_haystacks_tests_are_run() -> None:
    def tests(of: type) -> set[str]:
        return {name for name in dir(of) if name.startswith("test_")}

    for module, own, count in ((sync_tests, TestSync, 83), (async_tests, TestAsync, 44)):
        theirs = set[str]()
        for name, value in vars(module).items():
            if isinstance(value, type) and value.__module__ == module.__name__:
                theirs |= tests(value)
        assert tests(own) == theirs and len(theirs) == count
        overridden = {name for base in own.__mro__[:2] for name in vars(base) if name.startswith("test_")}
        assert overridden <= {"test_write_documents", "test_write_documents_async"}


DOCUMENTS = [
    Document(id="1", content="aaa", meta={"lang": "en", "year": 2016, "tags": ["x"]}, embedding=[1.0, 0.0, 0.0]),
    Document(
        id="2", content="aab", meta={"lang": "de", "year": 2012, "by": {"name": "Ada"}}, embedding=[0.9, 0.5, 0.0]
    ),
    Document(id="3", content="bbb", meta={"year": 1996}, embedding=[0.0, 1.0, 0.0]),
    Document(id="4", content="not embedded", meta={"lang": "en"}),
]


@pytest.fixture
def store(db: vdbx.Database) -> VdbxDocumentStore:
    store = VdbxDocumentStore(db)
    assert store.write_documents(DOCUMENTS) == 4
    return store


def is_(field: str, operator: str, value: Any) -> dict[str, Any]:
    return {"field": field, "operator": operator, "value": value}


def ids(documents: list[Document]) -> list[str]:
    return [document.id for document in documents]


def matching(store: VdbxDocumentStore, filters: dict[str, Any]) -> str:
    return "".join(sorted(ids(store.filter_documents(filters))))


# Random filters against document_matches_filter

_VALUES: list[Any] = ["", "red", "Red", "it's", "1", 0, 1, 2, -5, 0.0, 1.0, 0.5, True, False, None]
_DATES: list[Any] = ["2024-01-02", "2024-01-02T00:00:00", "2024-01-02T01:00:00+00:00", "2023-12-31T23:59:59Z", None]
# Beside times without a zone, which Haystack reads in that of the other side and vdbx in UTC, they would differ.
_ZONED: list[Any] = ["2024-01-02T00:00:00Z", "2024-01-02T01:00:00+01:00", "2024-01-02T00:30:00-05:00", None]
_NUMBERS: list[Any] = [0, 1, 2, -5, 0.0, 1.0, 0.5, None]
_FIELDS: dict[str, tuple[list[Any], tuple[str, ...]]] = {
    "meta.any": (_VALUES, ("==", "!=", "in", "not in")),
    "meta.list": (_VALUES, ("==", "!=", "in", "not in")),
    "meta.by.name": (_VALUES, ("==", "!=", "in", "not in")),
    "meta.nowhere": (_VALUES, ("==", "!=", "in", "not in")),
    "plain": (_VALUES, ("==", "!=", "in", "not in")),
    "content": (_VALUES, ("==", "!=", "in", "not in")),
    "id": (["0", "1", "2", "3", None], ("==", "!=", "in", "not in")),
    "meta.number": (_NUMBERS, ("==", "!=", ">", ">=", "<", "<=", "in", "not in")),
    "meta.zoned": (_ZONED, ("==", "!=", ">", ">=", "<", "<=", "in", "not in")),
    "meta.date": (_DATES, ("==", "!=", ">", ">=", "<", "<=", "in", "not in")),
}


def _random_filter(rng: random.Random, depth: int) -> dict[str, Any]:
    if depth and rng.random() < 0.5:
        parts = [_random_filter(rng, depth - 1) for _ in range(rng.randrange(4))]
        return {"operator": rng.choice(["AND", "OR", "NOT"]), "conditions": parts}
    field = rng.choice(list(_FIELDS))
    values, operators = _FIELDS[field]
    operator = rng.choice(operators)
    if operator in ("in", "not in"):
        return is_(field, operator, [rng.choice(values) for _ in range(rng.randrange(4))])
    return is_(field, operator, rng.choice(values))


def test_random_filters_as_in_haystacks_reference(db: vdbx.Database, full: bool) -> None:
    rng = random.Random(8)

    def meta() -> dict[str, Any]:
        made = {
            "any": rng.choice([*_VALUES, ["red"], {"a": 1}]),
            "list": rng.choice([[], ["red"], ["red", 1], [None]]),
            "by": rng.choice([{"name": rng.choice(_VALUES)}, {}, "red", None]),
            "plain": rng.choice(_VALUES),
            "number": rng.choice(_NUMBERS),
            "date": rng.choice(_DATES),
            "zoned": rng.choice(_ZONED),
        }
        return {key: value for key, value in made.items() if rng.random() < 0.8}

    contents = [None, "", "red", "it's"]
    documents = [Document(id=str(i), content=rng.choice(contents), meta=meta()) for i in range(60)]
    store = VdbxDocumentStore(db)
    store.write_documents(documents)
    matched = 0
    count = 20_000 if full else 2_000
    for _ in range(count):
        filters = _random_filter(rng, 3)
        wanted = [document.id for document in documents if document_matches_filter(filters, document)]
        assert ids(store.filter_documents(filters)) == wanted, filters
        matched += 0 < len(wanted) < len(documents)
    assert matched > count / 3


# Traps


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        (is_("meta.lang", "!=", "en"), "23"),
        (is_("meta.lang", "not in", ["en", "de"]), "3"),
        (is_("meta.lang", "not in", []), "1234"),
        (is_("meta.tags", "!=", "x"), "1234"),
        (is_("meta.year", "!=", "2016"), "1234"),  # of another type
        ({"operator": "NOT", "conditions": [is_("meta.lang", "==", "en")]}, "23"),
        ({"operator": "NOT", "conditions": [is_("meta.year", ">", 2000), is_("meta.lang", "==", "en")]}, "234"),
        ({"operator": "NOT", "conditions": [is_("meta.year", "<", 2000)]}, "124"),
    ],
)
def test_negations_match_what_lacks_the_field(store: VdbxDocumentStore, filters: dict[str, Any], wanted: str) -> None:
    assert matching(store, filters) == wanted
    assert wanted == "".join(document.id for document in DOCUMENTS if document_matches_filter(filters, document))


def test_fields_are_named_with_and_without_meta(store: VdbxDocumentStore) -> None:
    assert matching(store, is_("lang", "==", "de")) == "2"
    assert matching(store, is_("meta.by.name", "==", "Ada")) == "2"
    assert matching(store, is_("content", "==", "bbb")) == "3"
    assert matching(store, is_("id", "in", ["1", "4", "none"])) == "14"


def test_dates_are_moments(db: vdbx.Database) -> None:
    store = VdbxDocumentStore(db)
    moment = datetime.datetime(2024, 1, 2, 12, tzinfo=datetime.timezone.utc)
    store.write_documents(
        [Document(id="1", meta={"at": moment}), Document(id="2", meta={"at": "2024-01-02T14:00:00+01:00"})]
    )
    assert matching(store, is_("meta.at", "==", "2024-01-02T12:00:00Z")) == "1"
    assert matching(store, is_("meta.at", "==", moment)) == "1"
    assert matching(store, is_("meta.at", ">", "2024-01-02T12:00")) == "2"
    assert matching(store, is_("meta.at", "<=", moment + datetime.timedelta(hours=1))) == "12"
    assert matching(store, is_("meta.at", "in", ["2024-01-02T13:00:00+00:00"])) == "2"


def test_delete_without_a_condition_removes_nothing(store: VdbxDocumentStore) -> None:
    for call in (
        lambda: store.delete_by_filter({}),
        lambda: store.delete_by_filter(None),  # type: ignore[arg-type]
        lambda: store.update_by_filter({}, {"a": 1}),
        lambda: store.delete_documents(None),  # type: ignore[arg-type]
        lambda: store.delete_documents("1"),  # type: ignore[arg-type]
    ):
        with pytest.raises(vdbx.InvalidArgumentError):
            call()
    store.delete_documents([])
    assert store.count_documents() == 4


@pytest.mark.parametrize(
    "filters",
    [
        is_("meta.lang", "like", "e%"),
        is_("meta.lang", "==", ["en"]),
        is_("meta.lang", "==", {"a": 1}),
        is_("meta.lang", "in", [["en"]]),
        is_("meta.year", ">", "later"),
        is_("embedding", "==", None),
        is_("other.lang", "==", "en"),
        is_("meta.", "==", "en"),
        is_("meta..x", "==", "en"),
        is_("", "==", "en"),
        {"operator": "XOR", "conditions": []},
        {"operator": "AND", "conditions": {}},
        {"operator": "AND", "conditions": ["lang"]},
        {"lang": "en"},
    ],
)
def test_unknown_filters_are_refused(store: VdbxDocumentStore, filters: dict[str, Any]) -> None:
    calls: list[Callable[[dict[str, Any]], Any]] = [
        store.filter_documents,
        store.count_documents_by_filter,
        store.delete_by_filter,
        lambda given: store.embedding_retrieval([1.0, 0.0, 0.0], filters=given),
        lambda given: VdbxEmbeddingRetriever(store, filters=given),
    ]
    for call in calls:
        with pytest.raises(FilterError):
            call(filters)
    assert store.count_documents() == 4


def test_meta_that_uses_the_text_key_is_refused_and_nothing_is_written(store: VdbxDocumentStore) -> None:
    good = Document(id="5", content="x", embedding=[1.0, 1.0, 1.0])
    for bad in (
        Document(id="6", meta={"text": "a"}),
        Document(id="6", meta={"_haystack": {}}),
        Document(id="6", embedding=[1.0]),
        Document(id="6", embedding=[float("nan"), 0.0, 0.0]),
        Document(id="6", meta={"a": object()}),
    ):
        with pytest.raises(vdbx.InvalidArgumentError):
            store.write_documents([good, bad])
    with pytest.raises(vdbx.InvalidArgumentError, match="'text'"):
        store.update_by_filter(is_("id", "==", "1"), {"text": "b"})
    assert store.count_documents() == 4


def test_duplicates_in_one_list(db: vdbx.Database) -> None:
    store = VdbxDocumentStore(db)
    twice = [Document(id="1", content="a"), Document(id="2", content="b"), Document(id="1", content="c")]
    with pytest.raises(DuplicateDocumentError):
        store.write_documents(twice)
    assert store.count_documents() == 0
    assert store.write_documents(twice, DuplicatePolicy.SKIP) == 2
    assert store.filter_documents(is_("id", "==", "1"))[0].content == "a"
    assert store.write_documents(twice, DuplicatePolicy.OVERWRITE) == 3
    assert store.filter_documents(is_("id", "==", "1"))[0].content == "c"


def test_without_haystack_the_error_names_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "haystack.dataclasses", None)
    monkeypatch.delitem(sys.modules, "vdbx.haystack")
    with pytest.raises(vdbx.MissingPackageError, match=r"pip install 'vdbx\[haystack\]'"):
        importlib.import_module("vdbx.haystack")


# Documents


def test_documents_come_back_whole(db: vdbx.Database) -> None:
    store = VdbxDocumentStore(db)
    written = [
        Document(content="Ä", meta={"nested": {"a": [1, 2.5, None]}, "none": None}, embedding=[1.0, 2.0, 3.0]),
        Document(content=None, blob=ByteStream(b"\x00\xff", meta={"m": 1}, mime_type="image/png")),
        Document(content="", sparse_embedding=SparseEmbedding(indices=[1, 5], values=[0.5, 2.0]), score=0.25),
    ]
    store.write_documents(written)
    read = store.filter_documents()
    assert ids(read) == ids(written)
    for found, wanted in zip(read, written):
        assert found == replace(wanted, embedding=found.embedding)
    assert read[0].embedding is not None and read[1].embedding is None


def test_one_layout_for_plain_vdbx_too(store: VdbxDocumentStore) -> None:
    assert store.collection["1"].payload == {"lang": "en", "year": 2016, "tags": ["x"], "text": "aaa"}
    assert store.collection.search([1, 0, 0], filter="year < 2000").ids == ["3"]
    store.collection.upsert("5", [0, 0, 1], {"year": 2020}, texts=["ccc"])
    found = store.filter_documents(is_("meta.year", "==", 2020))[0]
    assert (found.id, found.content, found.meta) == ("5", "ccc", {"year": 2020})


def test_update_keeps_embeddings_and_sets_what_is_none_or_nested(store: VdbxDocumentStore) -> None:
    assert store.update_by_filter(is_("meta.lang", "==", "de"), {"by": {"age": 5}, "year": None, "n": 1}) == 1
    found = store.filter_documents(is_("id", "==", "2"))[0]
    assert found.meta == {"lang": "de", "year": None, "by": {"age": 5}, "n": 1}
    assert found.embedding is not None and found.content == "aab"


# Search


def test_distinct_values_of_every_kind(db: vdbx.Database) -> None:
    store = VdbxDocumentStore(db)
    values = [1, 1.0, 2.5, True, "b", "b", "a", ["x", 1], ["x", 1], [], {"k": 1}, None, 1 << 63]
    documents = [Document(content=str(i), meta={"v": {"w": value}, "n": i}) for i, value in enumerate(values)]
    store.write_documents([*documents, Document(content="none")])
    listed, count = store.get_metadata_field_unique_values("meta.v.w", size=100)
    assert count == 10 and [str(value) for value in listed] == sorted(str(value) for value in listed)
    assert sorted(map(repr, listed)) == sorted(map(repr, [1, 1.0, 2.5, 1 << 63, True, [], ["x", 1], "a", "b", {"k": 1}]))
    assert store.get_metadata_field_unique_values("v.w", "B", filters=is_("meta.n", "<", 6)) == (["b"], 1)
    assert store.get_metadata_field_unique_values("v.w", from_=1, size=2)[0] == listed[1:3]
    assert store.count_unique_metadata_by_filter(is_("meta.n", ">=", 4), ["v.w", "meta.n", "none"]) == {
        "v.w": 6,
        "n": 9,
        "none": 0,
    }
    assert store.get_metadata_field_min_max("v.w") == {"min": None, "max": None}  # text and numbers
    assert store.get_metadata_field_min_max("meta.n") == {"min": 0, "max": 12}
    assert store.get_metadata_field_min_max("none") == {"min": None, "max": None}


def test_retrieval_finds_what_is_embedded(store: VdbxDocumentStore) -> None:
    found = store.embedding_retrieval([1.0, 0.0, 0.0])
    assert ids(found) == ["1", "2", "3"]
    assert found[0].score == pytest.approx(1) and found[0].embedding is None
    assert ids(store.embedding_retrieval([1.0, 0.0, 0.0], filters=is_("meta.year", "<", 2015), top_k=1)) == ["2"]
    assert store.embedding_retrieval([1.0, 0.0, 0.0], top_k=1, return_embedding=True)[0].embedding == [1.0, 0.0, 0.0]


@pytest.mark.parametrize(("metric", "scores"), [("cosine", [1, 0]), ("ip", [4, 0]), ("l2", [0, -(8**0.5)])])
def test_scores(db: vdbx.Database, metric: str, scores: list[float]) -> None:
    store = VdbxDocumentStore(db, metric=metric)
    assert store.embedding_retrieval([2.0, 0.0]) == []
    store.write_documents([Document(id="a", embedding=[2.0, 0.0]), Document(id="b", embedding=[0.0, 2.0])])
    found = store.embedding_retrieval([2.0, 0.0])
    assert ids(found) == ["a", "b"]
    assert [document.score for document in found] == pytest.approx(scores, abs=1e-6)


def test_a_pipeline_written_down_and_read_again(tmp_path: Path) -> None:
    with vdbx.open(tmp_path / "h.vdb") as db:
        VdbxDocumentStore(db, metric="l2").write_documents(DOCUMENTS)
    pipeline = Pipeline()
    store = VdbxDocumentStore(tmp_path / "h.vdb", metric="l2")
    retriever = VdbxEmbeddingRetriever(store, top_k=2, filters=is_("meta.year", ">", 2000), filter_policy="merge")
    pipeline.add_component("retriever", retriever)
    again = Pipeline.loads(pipeline.dumps(), allowed_modules=["vdbx.haystack"])
    asked = {"retriever": {"query_embedding": [0.0, 1.0, 0.0], "filters": is_("meta.lang", "==", "de")}}
    for each in (pipeline, again):
        assert ids(each.run(asked)["retriever"]["documents"]) == ["2"]
    run = {"retriever": {"query_embedding": [0.0, 1.0, 0.0], "top_k": 9}}
    assert ids(again.run(run)["retriever"]["documents"]) == ["2", "1"]
    store.collection.database.close()


async def test_async_retrieval(store: VdbxDocumentStore) -> None:
    retriever = VdbxEmbeddingRetriever(store, top_k=1)
    assert ids((await retriever.run_async([0.0, 1.0, 0.0]))["documents"]) == ["3"]
    with pytest.raises(vdbx.InvalidArgumentError, match="wanted VdbxDocumentStore"):
        VdbxEmbeddingRetriever("store")  # type: ignore[arg-type]
