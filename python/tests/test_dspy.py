"""DSPy: a module with the retriever, and dspy.Retrieve over a configured rm."""

from __future__ import annotations

import importlib
import sys
import warnings
from typing import Any

import pytest

import vdbx
from vdbx import F

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the packages that dspy imports
    import dspy

    from vdbx.dspy import VdbxRetriever, VdbxRM


def letters(texts: list[str]) -> list[list[float]]:
    return [[text.count(letter) + 0.01 for letter in "abc"] for text in texts]


@pytest.fixture
def texts(db: vdbx.Database) -> vdbx.Collection:
    collection = db.collection("texts", embed=letters)
    collection.upsert(["1", "2", "3"], texts=["aaa", "aab", "bbb"], payloads=[{"n": 1}, {"n": 2}, {"n": 3}])
    return collection


def test_a_retriever_answers_with_passages(texts: vdbx.Collection) -> None:
    answer = VdbxRetriever(texts, k=2)("aaa")
    assert answer.passages == ["aaa", "aab"] and answer.ids == ["1", "2"]
    assert answer.payloads[0] == {"n": 1, "text": "aaa"} and answer.distances[0] == pytest.approx(0, abs=1e-5)


def test_filters_belong_to_the_retriever_or_to_a_call(texts: vdbx.Collection) -> None:
    retrieve = VdbxRetriever(texts, filter="n > ?", params=[1])
    assert retrieve("aaa").passages == ["aab", "bbb"]
    assert retrieve("aaa", k=1).passages == ["aab"]
    assert retrieve("aaa", filter=F.n == 3).passages == ["bbb"]
    assert VdbxRetriever(texts)("aaa", filter="n = ?", params=[3]).passages == ["bbb"]


def test_in_a_module(texts: vdbx.Collection) -> None:
    class Answer(dspy.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.retrieve = VdbxRetriever(texts, k=1)

        def forward(self, question: str) -> Any:
            return dspy.Prediction(answer=self.retrieve(question).passages[0])

    assert Answer()(question="bbbb").answer == "bbb"


def test_as_the_configured_rm(texts: vdbx.Collection) -> None:
    with dspy.context(rm=VdbxRM(texts)):
        assert dspy.Retrieve(k=2)("aaa").passages == ["aaa", "aab"]
        assert dspy.Retrieve()("bbb").passages[0] == "bbb"
    passages = VdbxRM(texts, k=1, filter=F.n > 1)(["aaa", "bbb"])
    assert [passage.long_text for passage in passages] == ["aab", "bbb"]
    assert passages[0].payload["n"] == 2 and passages[0].id == "2"


def test_what_is_refused(texts: vdbx.Collection) -> None:
    with pytest.raises(TypeError, match="where"):
        VdbxRetriever(texts)("a", where=1)
    with pytest.raises(TypeError, match="where"):
        VdbxRM(texts)("a", where=1)  # type: ignore[call-arg]
    with pytest.raises(vdbx.InvalidArgumentError, match="embedding"):
        VdbxRetriever(texts.database.collection("texts"))("a")
    texts.upsert("bare", [1, 1, 1])
    with pytest.raises(vdbx.InvalidArgumentError, match="record 'bare' has no text"):
        VdbxRetriever(texts, k=9)("a")


def test_without_dspy_the_error_names_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dspy", None)
    monkeypatch.delitem(sys.modules, "vdbx.dspy")
    with pytest.raises(vdbx.MissingPackageError, match=r"pip install 'vdbx\[dspy\]'"):
        importlib.import_module("vdbx.dspy")
