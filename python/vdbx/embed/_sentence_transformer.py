"""Models of the package sentence-transformers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vdbx._convert import Array
from vdbx._errors import MissingPackageError


class SentenceTransformer:
    """A model by its name or folder. Options go to sentence_transformers.SentenceTransformer."""

    def __init__(self, name: str, *, batch_size: int = 32, **options: Any) -> None:
        try:
            import sentence_transformers
        except ImportError as missing:
            line = "pip install 'vdbx[sentence-transformers]'"
            raise MissingPackageError(f"SentenceTransformer: {missing}. Install it: {line}") from missing
        self.name = name
        self._model = sentence_transformers.SentenceTransformer(name, **options)
        self._batch_size = batch_size

    def __call__(self, texts: Sequence[str]) -> Array:
        encode = getattr(self._model, "encode_document", self._model.encode)
        return np.asarray(encode(list(texts), batch_size=self._batch_size, show_progress_bar=False))

    def query(self, text: str) -> Array:
        encode = getattr(self._model, "encode_query", self._model.encode)
        row: Array = np.asarray(encode([text], show_progress_bar=False))[0]
        return row
