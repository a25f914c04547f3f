"""The package as it is installed: stubs, types, python -m vdbx, and the commands that it carries."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

import vdbx
from vdbx import _core

ROOT = Path(__file__).parents[2]
PACKAGE = Path(vdbx.__file__).parent


def run(*command: str | Path) -> str:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=300, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_stub_is_that_of_the_module(tmp_path: Path) -> None:
    command = ["-m", "nanobind.stubgen", "-q", "-m", "vdbx._core", "-o"]
    run(sys.executable, *command, tmp_path / "_core.pyi")
    made = (tmp_path / "_core.pyi").read_text()
    kept = (ROOT / "python" / "vdbx" / "_core.pyi").read_text()
    assert made == kept, f"stale; make it anew: python {' '.join(command)} python/vdbx/_core.pyi"


def test_mypy_strict() -> None:
    package = ROOT / "python" / "vdbx"
    examples = [ROOT / "examples" / "quickstart.py", *sorted((ROOT / "examples" / "chat").glob("*.py"))]
    driver = sorted((ROOT / "bench" / "driver").glob("*.py"))
    output = run(sys.executable, "-m", "mypy", package, ROOT / "python" / "tests" / "typical_use.py", *examples, *driver)
    assert "Success: no issues found" in output


def test_stubtest() -> None:
    options = ["--ignore-disjoint-bases", "--ignore-unused-allowlist", "--mypy-config-file", ROOT / "pyproject.toml"]
    allowed = ["--allowlist", ROOT / "python" / "tests" / "stubtest-allowlist.txt"]
    output = run(sys.executable, "-m", "mypy.stubtest", "vdbx._core", *options, *allowed)
    assert "Success: no issues found" in output


def test_the_package_is_typed() -> None:
    assert (PACKAGE / "py.typed").exists() and (PACKAGE / "_core.pyi").exists()


def test_every_public_name_is_there() -> None:
    assert sorted(vdbx.__all__) == sorted(set(vdbx.__all__))
    for name in vdbx.__all__:
        assert hasattr(vdbx, name), name


def test_versions_agree() -> None:
    assert vdbx.__version__ == _core.VERSION == metadata.version("vdbx")


def test_python_m_vdbx() -> None:
    output = run(sys.executable, "-m", "vdbx")
    assert f"vdbx      {vdbx.__version__}\n" in output
    assert f"kernel    {_core.kernel()}\n" in output
    assert "librocksdb" in output and "split mode" in output


def test_import_leaves_frameworks_alone() -> None:
    heavy = "pandas pyarrow polars langchain_core llama_index haystack dspy onnxruntime tokenizers tqdm torch requests"
    script = f"import sys, vdbx; print([name for name in {heavy.split()} if name in sys.modules])"
    assert run(sys.executable, "-c", script) == "[]\n"


@pytest.fixture
def commands() -> Path:
    return Path(sys.executable).parent


def test_vdbctl_reads_what_python_wrote(tmp_path: Path, commands: Path) -> None:
    path = tmp_path / "shared.vdb"
    with vdbx.open(path) as db:
        notes = db.collection("notes", dim=2, metric="l2")
        notes.upsert(["a", "b"], [[1, 2], [3, 4]], [{"year": 2016}, {"year": 1996}])
    assert "a" in run(commands / "vdbctl", "search", path, "notes", "--vector", "[1, 2]", "--filter", "year > 2000")
    with vdbx.open(path) as db:
        assert db.collection("notes").search([1, 2], filter="year > 2000").ids == ["a"]


def test_vdb_load_fills_what_python_reads(tmp_path: Path, commands: Path) -> None:
    np.save(tmp_path / "v.npy", np.eye(4, dtype=np.float32))
    rows = "".join(json.dumps({"n": i}) + "\n" for i in range(4))
    (tmp_path / "p.jsonl").write_text(rows)
    path = tmp_path / "loaded.vdb"
    vectors = ["--vectors", tmp_path / "v.npy", "--payloads", tmp_path / "p.jsonl"]
    run(commands / "vdb-load", path, "rows", "--create", "--metric", "cosine", *vectors)
    with vdbx.open(path) as db:
        assert db.collection("rows").search([0, 0, 1, 0], k=1)[0]["n"] == 2


def test_commands_end_as_programs_do(tmp_path: Path, commands: Path) -> None:
    done = subprocess.run([commands / "vdbctl", "info", tmp_path / "none"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 3 and done.stderr.startswith("vdbctl: NotFound: there is no database at")
    done = subprocess.run([commands / "vdb-load", "--wrong"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    path = tmp_path / "lines.vdb"
    with vdbx.open(path) as db:
        db.collection("rows", dim=1).upsert([f"{i}" for i in range(20_000)], np.ones((20_000, 1)))
    # The reader goes away: the command ends by the signal, not by an error of Python.
    with subprocess.Popen([commands / "vdbctl", "scan", path, "rows"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as scan:
        assert scan.stdout is not None and scan.stderr is not None
        assert scan.stdout.readline().startswith(b'{"id"')
        scan.stdout.close()
        assert scan.wait(60) == -signal.SIGPIPE and scan.stderr.read() == b""
    # Ctrl-C while it waits for its input.
    command = [commands / "vdbctl", "put", path, "rows"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as put:
        assert put.stdin is not None and put.stderr is not None
        put.stdin.write(b'{"id": "new", "vector": [1]}\n' * 100_000)
        put.stdin.flush()
        put.send_signal(signal.SIGINT)
        assert put.wait(60) == -signal.SIGINT and put.stderr.read() == b""


def test_the_quickstart(tmp_path: Path) -> None:
    output = run(sys.executable, ROOT / "examples" / "quickstart.py", tmp_path / "q.vdb")
    lines = output.splitlines()
    assert len(lines) == 6
    assert lines[0].startswith((ROOT / "examples" / "data" / "questions.txt").read_text().splitlines()[0] + " | 0.")
