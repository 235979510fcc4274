"""Encoders by what a user writes."""

import re

from vecsmith.encoders.base import Encoder, EncoderOptions
from vecsmith.errors import VecsmithError, unknown

ENCODERS = {
    "static": "WordLlama's table of token vectors, built in: 256 dimensions, thousands of texts a second on one core",
    "st:NAME_OR_DIR": "a sentence-transformers model, by its name on the Hugging Face hub or its folder",
    "api:MODEL[@DIMENSIONS]": "an OpenAI-compatible endpoint; OPENAI_BASE_URL and OPENAI_API_KEY say where",
    "vectors:NAME": "ready vectors: vectors/NAME in the task's folder, a folder, or CORPUS_FILE,QUERIES_FILE",
    "ENCODER+ENCODER": "the unit vectors of several side by side, such as st:all-MiniLM-L6-v2+static",
}
"""What a user may write for an encoder, and what it is."""


def load_encoder(spec: str, options: EncoderOptions | None = None) -> Encoder:
    """Return the encoder that a spec names; its model is loaded when the first text is encoded.

    Parameters
    ----------
    spec : str
        ``"static"``, ``"st:NAME_OR_DIR"`` or ``"api:MODEL[@DIMENSIONS]"``, or several of them joined by ``+``.
    options : EncoderOptions, optional
        Prompts, length and batch size.

    Raises
    ------
    VecsmithError
        If there is no such encoder, or it cannot do what `options` ask.
    """
    options = options or EncoderOptions()
    parts = split_spec(spec)
    if len(parts) > 1:
        from vecsmith.encoders.fused import FusedEncoder

        return FusedEncoder([load_encoder(part, options) for part in parts])
    kind, _, name = spec.partition(":")
    if spec == "static":
        from vecsmith.encoders.static import StaticEncoder

        return StaticEncoder(options)
    if kind == "st" and name:
        from vecsmith.encoders.sentence_transformers import SentenceTransformerEncoder

        return SentenceTransformerEncoder(name, options)
    if kind == "api" and name:
        from vecsmith.encoders.api import ApiEncoder

        return ApiEncoder(name, options)
    if kind == "vectors":
        raise VecsmithError(f"{spec} are ready vectors of a task, which embed no texts; give another encoder.")
    raise unknown("encoder", spec, ENCODERS)


def split_spec(spec: str) -> list[str]:
    """Return the encoders that a spec joins by ``+``; one inside a name or path stays."""
    return re.split(r"\+(?=static(?:\+|$)|st:|api:|vectors:)", spec)
