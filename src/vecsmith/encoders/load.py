"""Specs of encoders: load the encoder that a spec names, and choose its options."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from vecsmith.encoders.base import ENCODERS, Encoder, EncoderOptions, Prompt
from vecsmith.errors import unknown


def load_encoder(spec: str, options: EncoderOptions | None = None) -> Encoder:
    """Return the encoder that a spec names; it loads its model when it encodes the first text.

    Parameters
    ----------
    spec : str
        ``"static"``, ``"st:NAME_OR_DIR"``, ``"api:MODEL[@DIMENSIONS]"`` or another spec of `ENCODERS`; or several of
        them joined by ``+``.
    options : EncoderOptions, optional
        Prompts for all encoders or per encoder, maximum input length, and batch size.

    Raises
    ------
    VecsmithError
        If the encoder is unknown or does not support an option, or a prompt names another encoder.
    """
    options = options_by_encoder(options, [spec])[spec]
    parts = split_spec(spec)
    if len(parts) > 1:
        from vecsmith.encoders.fused import FusedEncoder

        return FusedEncoder([load_encoder(part, options.of(part)) for part in parts])
    options = options.of(spec)
    if not is_encoder(spec):
        raise unknown("encoder", spec, [loader.usage for loader in ENCODERS.values()])
    prefix, _, name = spec.partition(":")
    return ENCODERS[prefix].load(name, options)


def is_encoder(spec: str) -> bool:
    """Return whether a text is the spec of one encoder: a known prefix, and a name where the prefix takes one."""
    prefix, colon, name = spec.partition(":")
    if prefix not in ENCODERS:
        return False
    return bool(name) if ":" in ENCODERS[prefix].usage else not colon


def options_by_encoder(options: EncoderOptions | None, specs: Sequence[str]) -> dict[str, EncoderOptions]:
    """Return the options of each encoder, without the prompts of the others.

    Parameters
    ----------
    options : EncoderOptions or None
        Options of all encoders. Prompts per encoder are keyed by spec; those for ``a+b`` are keyed by ``a`` and ``b``.
    specs : sequence of str
        Specs of the encoders; a spec may join several by ``+``.

    Raises
    ------
    VecsmithError
        If a prompt names an encoder that is not among them.
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
    """Return the encoders that a spec joins by ``+``; a ``+`` inside a name or a path does not separate."""
    starts = [f"{prefix}:" if ":" in ENCODERS[prefix].usage else rf"{prefix}(?:\+|$)" for prefix in ENCODERS]
    return re.split(rf"\+(?={'|'.join(starts)})", spec)
