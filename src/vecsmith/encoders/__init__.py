"""Encoders, which turn texts into vectors, and functions that embed texts and tasks with them."""

from vecsmith.encoders.base import ENCODERS, Encoder, EncoderOptions, Side
from vecsmith.encoders.embed import cache_vectors, embed_task, embed_texts
from vecsmith.encoders.load import is_encoder, load_encoder, options_by_encoder, split_spec
from vecsmith.encoders.vectors import ready_vectors

__all__ = [
    "ENCODERS",
    "Encoder",
    "EncoderOptions",
    "Side",
    "cache_vectors",
    "embed_task",
    "embed_texts",
    "is_encoder",
    "load_encoder",
    "options_by_encoder",
    "ready_vectors",
    "split_spec",
]
