"""The engines that the benchmark knows, and how a worker of each is started."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
MISSES = (2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 28, 40, 56, 80, 112, 160, 224, 320)
FINE = (10, 12, 16, 20, 24, 32, 40, 48, 64, 96, 128, 192, 256, 384, 512)
COARSE = (10, 16, 32, 64, 128, 256, 512)
REFERENCE = "hnswlib"


@dataclasses.dataclass(frozen=True)
class Engine:
    name: str
    label: str
    package: str = ""  # on PyPI; empty: the C++ worker
    shares_index_with: str = ""
    parameters: tuple[int, ...] = FINE  # values of ef; of vdb n, for min_recall = 1 - 1 / n
    large: bool = False  # also on sets of a million rows
    environment: tuple[tuple[str, str], ...] = ()
    scope: str = ""
    reopens: bool = False  # for each value of ef; leaves memory behind, so that is measured on a worker of its own

    @property
    def index_name(self) -> str:
        return self.shares_index_with or self.name

    @property
    def is_ours(self) -> bool:
        return self.index_name.startswith("vdb")


NATIVE = (
    Engine(
        "vdb", "vdb", parameters=MISSES, large=True, scope="ids and distances by min_recall, after deletes, closed and reopened"
    ),
    Engine(
        "vdb_payload",
        "vdb, with payloads",
        parameters=MISSES,
        large=True,
        scope="as vdb, each hit with its JSON payload",
    ),
    Engine("vdb_ef", "vdb, by ef", scope="as vdb, without the stop rule: ef candidates are kept, as by the others"),
    Engine("vdb_float32", "vdb, float32 codes", scope="as vdb by ef, built and walked on float32"),
    Engine("hnswlib", "hnswlib", large=True, scope="in process, no files while it searches, no deletes, no payloads"),
    Engine(
        "hnswlib_hugepages",
        "hnswlib, huge pages",
        shares_index_with="hnswlib",
        large=True,
        environment=(("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1"),),
        scope="as hnswlib, its memory under madvise(MADV_HUGEPAGE) by glibc.malloc.hugetlb=1",
    ),
)
PEERS = (
    Engine("faiss-hnsw", "FAISS HNSWFlat", "faiss-cpu", large=True),
    Engine("faiss-sq8", "FAISS SQ8 + refine", "faiss-cpu", large=True),
    Engine("usearch-f32", "USearch f32", "usearch", large=True),
    Engine("usearch-bf16", "USearch bf16", "usearch", large=True),
    Engine("usearch-i8", "USearch i8", "usearch", large=True),
    Engine("zvec-f32", "zvec f32", "zvec", large=True),
    Engine("zvec-int8", "zvec int8 + refiner", "zvec", large=True),
    Engine("qdrant-f32", "Qdrant Edge f32", "qdrant-edge-py"),
    Engine("qdrant-int8", "Qdrant Edge int8", "qdrant-edge-py"),
    Engine("chromadb", "Chroma", "chromadb", parameters=COARSE, reopens=True),
    Engine("lancedb", "LanceDB HNSW_SQ", "lancedb", parameters=COARSE),
    Engine("milvus-lite", "Milvus Lite HNSW", "milvus-lite", parameters=COARSE),
    Engine("sqlite-vec", "sqlite-vec (exact)", "sqlite-vec", parameters=(0,)),
)
ENGINES = {engine.name: engine for engine in NATIVE + PEERS}


def version_of(engine: Engine) -> str:
    """The version that requirements.txt pins; what the C++ worker says of its engines comes from itself."""
    if not engine.package:
        return "0.6.2" if engine.index_name == REFERENCE else ""
    pins = (ROOT / "bench/peers/requirements.txt").read_text()
    found = re.search(rf"^{re.escape(engine.package)}==(\S+)", pins, re.MULTILINE)
    return found[1] if found else "unknown"


@dataclasses.dataclass(frozen=True)
class Programs:
    """Where what the driver starts stands."""

    native: pathlib.Path  # folder of bench_worker and bench_prepare
    python: pathlib.Path  # of the peers' environment

    def command(self, engine: Engine, mode: str, spec: dict[str, object]) -> list[str]:
        if engine.package:
            program = [str(self.python), str(ROOT / "bench/peers/worker.py")]
        else:
            program = [str(self.native / "bench_worker")]
        return [*program, mode, json.dumps(spec)]
