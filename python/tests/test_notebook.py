"""The notebook of the examples runs from the first cell to the last, and shows what its text promises."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.filterwarnings("default")
def test_the_tour(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path))
    monkeypatch.delenv("MPLBACKEND", raising=False)  # Streamlit, imported by other tests, sets it for all
    notebook = nbformat.read(EXAMPLES / "tour.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)  # kept without what one run showed
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(EXAMPLES)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    text = "\n".join(output.get("text", "") for output in outputs)
    assert "P0 exact" in text and "P1 sweep" in text
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 2
    recalls = [float(recall) for recall in re.findall(r"recall@10 ([0-9.]+)", text)]
    assert len(recalls) == 5 and recalls[-1] >= 0.95 and recalls[-1] >= recalls[0]
