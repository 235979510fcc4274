"""Encoders by what a user writes."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from vecsmith.encoders.base import Encoder, EncoderOptions, Prompt
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
        Prompts, of all or per encoder, length and batch size.

    Raises
    ------
    VecsmithError
        If there is no such encoder, it cannot do what `options` ask, or they have a prompt of another encoder.
    """
    options = options_by_encoder(options, [spec])[spec]
    parts = split_spec(spec)
    if len(parts) > 1:
        from vecsmith.encoders.fused import FusedEncoder

        return FusedEncoder([load_encoder(part, options.of(part)) for part in parts])
    options = options.of(spec)
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


def options_by_encoder(options: EncoderOptions | None, specs: Sequence[str]) -> dict[str, EncoderOptions]:
    """Return the options of each of several encoders, with only the prompts that are its own.

    Parameters
    ----------
    options : EncoderOptions or None
        What was set for all of them; prompts per encoder go by the spec, of ``a+b`` by ``a`` and ``b``.
    specs : sequence of str
        The encoders, some of which may be several joined by ``+``.

    Raises
    ------
    VecsmithError
        If a prompt is of none of them.
    """
    options = options or EncoderOptions()
    parts = {spec: split_spec(spec) for spec in specs}
    known = dict.fromkeys(name for names in parts.values() for name in names)

    def prompt_of(names: Sequence[str], prompt: Prompt) -> Prompt:
        if not isinstance(prompt, Mapping):
            return prompt
        if strange := next((name for name in prompt if name not in known), None):
            raise unknown("encoder of a prompt", strange, known)
        return {name: prompt[name] for name in names if name in prompt}

    return {
        spec: replace(
            options,
            query_prompt=prompt_of(names, options.query_prompt),
            passage_prompt=prompt_of(names, options.passage_prompt),
        )
        for spec, names in parts.items()
    }


def split_spec(spec: str) -> list[str]:
    """Return the encoders that a spec joins by ``+``; one inside a name or path stays."""
    return re.split(r"\+(?=static(?:\+|$)|st:|api:|vectors:)", spec)
