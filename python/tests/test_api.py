"""What README and docstrings promise, call by call."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

import vdbx
from vdbx import F


def test_first_lines(tmp_path: Path) -> None:
    with vdbx.open(tmp_path / "notes.vdb") as db:
        notes = db.collection("notes", dim=3)
        notes.upsert(["a", "b"], [[0.9, 0.1, 0.2], [0.1, 0.9, 0.3]], [{"year": 2016}, {"year": 2012}])
        hits = notes.search([0.1, 0.8, 0.3], k=3, filter="year > ?", params=[2013])
        assert [(hit.id, hit["year"]) for hit in hits] == [("a", 2016)]


def test_data_outlives_the_database_object(tmp_path: Path) -> None:
    path = tmp_path / "notes.vdb"
    with vdbx.open(path) as db:
        db.collection("notes", dim=2, metric="l2", m=8, ef_construction=50).upsert("a", [1, 2], {"n": 1})
    with vdbx.open(path, create=False) as db:
        assert db.collections() == ["notes"]
        notes = db.collection("notes")
        assert (notes.dim, notes.metric, len(notes)) == (2, "l2", 1)
        record = notes["a"]
        assert record.payload == {"n": 1}


def test_get_is_aligned_with_the_ids(notes: vdbx.Collection) -> None:
    records = notes.get(["c", "nowhere", "a", "c"], vectors=True)
    assert [record and record.id for record in records] == ["c", None, "a", "c"]
    assert records[0] is not None and records[0].vector is not None
    assert records[0].vector.tolist() == [0, 0, 1]
    assert notes.get("nowhere") is None
    assert notes.get("a") is not None
    assert notes.get([]) == []
    assert "a" in notes and "nowhere" not in notes and 5 not in notes
    with pytest.raises(vdbx.NotFoundError, match="no record 'nowhere'"):
        notes["nowhere"]


def test_a_record_reads_like_its_payload(notes: vdbx.Collection) -> None:
    record = notes["c"]
    assert record["author"] == {"name": "Ada"}
    assert record.get("missing", 5) == 5
    assert "year" in record and "lang" not in record
    assert record.vector is None
    assert record.text is None
    assert "'c'" in repr(record)
    with pytest.raises(KeyError):
        record["missing"]


def test_upsert_replaces_and_returns_ids(notes: vdbx.Collection) -> None:
    assert notes.upsert(["a", "d"], np.eye(3, dtype=np.float32)[:2], [{"year": 1}, {}]) == ["a", "d"]
    assert len(notes) == 4
    assert notes["a"].payload == {"year": 1}


def test_upsert_in_batches_reports_progress(db: vdbx.Database, rng: np.random.Generator) -> None:
    notes = db.collection("many", dim=4)
    seen: list[tuple[int, int]] = []
    ids = [f"{i}" for i in range(25)]
    notes.upsert(ids, rng.random((25, 4)), batch_size=10, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(10, 25), (20, 25), (25, 25)]
    assert len(notes) == 25


def test_a_batch_beyond_the_cores_limit_is_written_in_several(db: vdbx.Database) -> None:
    wide = db.collection("wide", dim=20_000, metric="l2")
    rows = 1_000  # 80 MB of vectors, above the 64 MiB of one write
    wide.upsert([f"{i}" for i in range(rows)], np.ones((rows, 20_000), dtype=np.float32), sync=False)
    assert len(wide) == rows


def test_delete(notes: vdbx.Collection) -> None:
    assert notes.delete("nowhere") == 0
    assert notes.delete([]) == 0
    assert notes.delete(["a", "nowhere"]) == 1
    assert notes.delete(filter="year < ?", params=[2000]) == 1
    assert [record.id for record in notes.scan()] == ["b"]
    assert notes.delete(filter="TRUE") == 1
    assert len(notes) == 0 and notes


def test_search_result(notes: vdbx.Collection) -> None:
    result = notes.search([1, 0.1, 0], k=2, vectors=True)
    assert len(result) == 2
    assert result.ids == ["a", "b"] == [hit.id for hit in result]
    assert result.distances.dtype == np.float32
    assert result.distances.tolist() == [hit.distance for hit in result]
    assert result[0].id == result[-2].id == "a"
    assert [hit.id for hit in result[1:]] == ["b"]
    assert result.exact and result.complete and result.plan == "P0 exact" and result.reason
    assert result.matches == 3
    assert result.took_us > 0
    assert result.to_numpy().tolist() == [[1, 0, 0], [0, 1, 0]]
    assert result.to_list()[0] == {
        "id": "a", "distance": result[0].distance, "year": 2016, "lang": "en", "tags": ["x", "y"]
    }
    assert "P0 exact" in repr(result)
    with pytest.raises(IndexError, match="hit 2 of 2"):
        result[2]
    with pytest.raises(IndexError, match="hit -3 of 2"):
        result[-3]


def test_a_result_as_html_is_escaped(db: vdbx.Database) -> None:
    notes = db.collection("html", dim=1, metric="l2")
    notes.upsert("<b>", [1], {"<i>": "a & b", "long": "x" * 500})
    page = notes.search([1])._repr_html_()
    assert "&lt;b&gt;" in page and "&lt;i&gt;" in page and "a &amp; b" in page and "x" * 121 not in page


def test_search_without_payloads(notes: vdbx.Collection) -> None:
    hit = notes.search([1, 0, 0], fields=False)[0]
    assert hit.payload == {} and hit.payload_json == "" and hit.vector is None
    with pytest.raises(vdbx.InvalidArgumentError, match="vectors=True"):
        notes.search([1, 0, 0]).to_numpy()


def test_search_by_id_leaves_the_record_out(notes: vdbx.Collection) -> None:
    assert sorted(notes.search(vdbx.Id("a")).ids) == ["b", "c"]
    with pytest.raises(vdbx.NotFoundError):
        notes.search(vdbx.Id("nowhere"))
    with pytest.raises(vdbx.InvalidArgumentError, match="empty"):
        notes.search(vdbx.Id(""))


@pytest.mark.parametrize("metric", ["cosine", "l2", "ip"])
def test_distances_are_those_of_numpy(db: vdbx.Database, rng: np.random.Generator, metric: str) -> None:
    rows, query = rng.standard_normal((500, 16)).astype(np.float32), rng.standard_normal(16).astype(np.float32)
    collection = db.collection(metric, dim=16, metric=metric)
    collection.upsert([f"{i}" for i in range(500)], rows)
    truth = {
        "l2": ((rows - query) ** 2).sum(axis=1),
        "ip": 1 - rows @ query,
        "cosine": 1 - rows @ query / np.linalg.norm(rows, axis=1) / np.linalg.norm(query),
    }[metric]
    result = collection.search(query, k=20, exact=True)
    assert result.ids == [f"{i}" for i in np.argsort(truth, kind="stable")[:20]]
    np.testing.assert_allclose(result.distances, np.sort(truth)[:20], rtol=1e-4, atol=1e-5)


def test_search_batch_is_a_search_for_each(notes: vdbx.Collection) -> None:
    queries = np.eye(3, dtype=np.float64)
    batch = notes.search_batch(queries, k=2, filter=F.year > 2000)
    assert [result.ids for result in batch] == [notes.search(q, k=2, filter="year > 2000").ids for q in queries]
    assert notes.search_batch([]) == []


def test_explain_prints_the_plan(notes: vdbx.Collection) -> None:
    explanation = notes.explain([1, 0, 0], filter="lang = 'en'")
    assert explanation.filter == "lang = 'en'" and explanation.exact and explanation.hits == 1
    assert "P0 exact" in str(explanation)
    assert explanation.details.matches == 1


def test_scan_sees_one_state(notes: vdbx.Collection) -> None:
    scan = notes.scan(vectors=True, batch_size=1)
    first = next(scan)
    notes.upsert("z", [1, 1, 1])
    notes.delete("b")
    assert [first.id, *(record.id for record in scan)] == ["a", "b", "c"]
    assert [record.id for record in notes.scan("year < 2000 OR year IS NULL")] == ["c", "z"]
    assert [record.payload for record in notes.scan(fields=False)] == [{}, {}, {}]


def test_count_stats_compact_verify(notes: vdbx.Collection) -> None:
    assert notes.count() == 3 and notes.count("year > :y", {"y": 2000}) == 2
    notes.delete("a")
    assert notes.stats().records == 2 and notes.stats().slots == 3
    notes.compact()
    assert notes.stats().slots == 2 and notes.stats().metric == "cosine"
    notes.wait_for_index()
    notes.verify()
    assert notes.database.stats().commit_seq > 0


def test_collections(db: vdbx.Database) -> None:
    b, a = db.collection("b", dim=2), db.collection("a", dim=3, metric="ip")
    assert db.collections() == ["a", "b"]
    assert repr(a) == "Collection('a', dim=3, metric='ip')"
    db.drop("b")
    assert db.collections() == ["a"]
    with pytest.raises(vdbx.ClosedError, match="dropped"):
        len(b)
    with pytest.raises(vdbx.NotFoundError):
        db.drop("b")
    with pytest.raises(vdbx.NotFoundError):
        db.collection("b", create=False)


def test_a_batch_over_collections_is_all_or_nothing(db: vdbx.Database, notes: vdbx.Collection) -> None:
    other = db.collection("other", dim=2)
    with db.write() as batch:
        batch.upsert(notes, ["d"], [[1, 1, 1]], [{"n": 1}])
        batch.upsert(other, "x", [1, 2])
        batch.delete(notes, ["a"])
        assert len(batch) == 3 and len(other) == 0
    assert len(batch) == 0
    assert "d" in notes and "x" in other and "a" not in notes

    with pytest.raises(RuntimeError, match="stop"):
        with db.write() as batch:
            batch.upsert(other, "y", [1, 2])
            raise RuntimeError("stop")
    assert "y" not in other


def test_texts_are_embedded_and_stored(db: vdbx.Database) -> None:
    def letters(texts: list[str]) -> list[list[float]]:
        return [[1.0 + text.count(letter) for letter in "abc"] for text in texts]

    notes = db.collection("texts", embed=letters)
    assert notes.dim == 3
    ids = notes.upsert(texts=["aaaa", "bbbb"], payloads=[{"n": 1}, {"n": 2}])
    assert ids[0] == hashlib.sha256(b"aaaa").hexdigest()
    assert notes.upsert(texts=["bbbb", "aaaa"]) == ids[::-1] and len(notes) == 2
    hit = notes.search("aa", k=1)[0]
    assert hit.text == hit["text"] == "aaaa"
    assert [result.ids[0] for result in notes.search_batch(["a", "b"], k=1)] == ids
    assert notes.upsert("own", texts="cccc") == ["own"] and notes["own"].text == "cccc"
    assert notes.upsert(["own"], [[1, 2, 3]], texts=["with its vector"]) == ["own"]


def test_an_embedding_may_treat_queries_otherwise(db: vdbx.Database) -> None:
    class Model:
        name = "model"
        dim = 2

        def __call__(self, texts: list[str]) -> np.ndarray:
            return np.tile([1.0, 0.0], (len(texts), 1))

        def query(self, text: str) -> list[float]:
            return [0.0, 1.0]

    notes = db.collection("two", embed=Model())
    notes.upsert(texts=["x"])
    assert notes.search("x")[0].distance == pytest.approx(1)
