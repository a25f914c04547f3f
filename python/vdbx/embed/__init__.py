"""Embeddings: functions that make vectors of texts.

Any function of a list of texts that returns (texts, dim) numbers will do. Ready: Local (embed="local"), OpenAI for
endpoints that speak OpenAI's protocol, SentenceTransformer. A `query(text)` beside it treats queries otherwise.
"""

from vdbx.embed._local import Local
from vdbx.embed._openai import OpenAI
from vdbx.embed._protocol import EmbedArgument, Embedding
from vdbx.embed._sentence_transformer import SentenceTransformer

__all__ = ["EmbedArgument", "Embedding", "Local", "OpenAI", "SentenceTransformer"]
