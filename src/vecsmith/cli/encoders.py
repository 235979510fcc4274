"""Parsing of the encoder options of the command line."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

from vecsmith.errors import VecsmithError, unknown

if TYPE_CHECKING:
    from vecsmith.encoders import EncoderOptions
    from vecsmith.encoders.base import Prompt


def encoder_options(
    encoders: Sequence[str],
    query_prompt: Sequence[str] = (),
    passage_prompt: Sequence[str] = (),
    max_length: int | None = None,
    batch_size: int | None = None,
    trust_remote_code: bool = False,
) -> "EncoderOptions":
    """Return the options of encoders; each prompt is one text for all encoders, or ``ENCODER=TEXT`` for one of them.

    Raises
    ------
    VecsmithError
        If a prompt names an encoder that is not used, or an encoder has two prompts.
    """
    from vecsmith.encoders import EncoderOptions, split_spec

    names = list(dict.fromkeys(part for encoder in encoders for part in split_spec(encoder)))
    query, passage = _prompt("--query-prompt", query_prompt, names), _prompt("--passage-prompt", passage_prompt, names)
    return EncoderOptions(query, passage, max_length, batch_size, trust_remote_code)


def query_options(
    encoders: Sequence[str | None], query_prompt: Sequence[str], trust_remote_code: bool
) -> "dict[str, EncoderOptions]":
    """Return the options of each encoder of a search; None is left out.

    Raises
    ------
    VecsmithError
        As for `encoder_options`.
    """
    from vecsmith.encoders import options_by_encoder

    names = [name for name in encoders if name is not None]
    options = encoder_options(names, query_prompt, trust_remote_code=trust_remote_code)
    return options_by_encoder(options, names)


def _prompt(option: str, values: Sequence[str], names: Sequence[str]) -> "Prompt":
    from vecsmith.encoders import is_encoder

    by_encoder: dict[str, str] = {}
    for value in values:
        # the longest name wins, because the name of a folder may contain "="
        name = max((name for name in names if value.startswith(f"{name}=")), key=len, default="")
        other, is_given, _ = value.partition("=")
        if not name and is_given and (is_encoder(other) or get_close_matches(other, names)):
            raise unknown(f"encoder of {option}", other, names)
        if name in by_encoder or (not name and len(values) > 1):
            raise VecsmithError(f"{option} takes one text for all encoders, or one ENCODER=TEXT for each of them.")
        by_encoder[name] = value.removeprefix(f"{name}=") if name else value
    return by_encoder.get("", by_encoder or None)
