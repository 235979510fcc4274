"""Lookup of a stage by its text in a spec."""

import re
from collections.abc import Iterator

from vecsmith.codecs.options import parse_options
from vecsmith.codecs.stages import STAGES, Stage
from vecsmith.errors import VecsmithError, unknown

OPTIONS = re.compile(r"(?P<stage>.+)\((?P<options>[^()]*)\)")
PLACEHOLDERS = {"K": "192", "N": "48"}
"""Placeholders for numbers in `Stage.usage`, and example values."""


def stage_named(part: str) -> Stage:
    """Return an unfitted stage for one part of a spec, such as ``"hybrid48B"``, and set its canonical `spec`.

    Case, and spaces around the part, are ignored.

    Raises
    ------
    VecsmithError
        If there is no such stage (the error suggests the nearest), or it does not accept a training option.
    """
    part = part.strip()
    for text in (part, _folded(part)):
        if stage := _match(text):
            return stage
    if match := OPTIONS.fullmatch(part):
        stage = stage_named(match["stage"])
        stage.options = parse_options(stage.spec, match["options"], stage.takes)
        given = [f"{name}={str(value).removesuffix('.0')}" for name, value in stage.options.items()]
        stage.spec += f"({','.join(given)})"
        return stage
    for letter, number in PLACEHOLDERS.items():
        if letter in part and (text := part.replace(letter, number)) and _match(text):
            raise VecsmithError(f"Unknown codec {part!r}: write a number for {letter}, such as {text}.")
    if "/" in part:
        raise VecsmithError(f"Unknown codec {part!r}: there is no such folder, and it is not a spec such as pca192.")
    raise unknown("codec", part, STAGES)


def _match(text: str) -> Stage | None:
    for stage_class in STAGES.values():
        if match := re.fullmatch(stage_class.pattern, text):
            parameters = {name: int(value) if value.isdigit() else value for name, value in match.groupdict().items()}
            stage = stage_class(**parameters)
            stage.spec = stage.spec or "".join(_canonical(match, parameters))
            return stage
    return None


def _canonical(match: re.Match[str], parameters: dict[str, int | str]) -> Iterator[str]:
    """Yield the pieces of the canonical text: ``pca016`` becomes ``pca16``."""
    end = 0
    for name, value in parameters.items():
        yield match.string[end : match.start(name)] + str(value)
        end = match.end(name)
    yield match.string[end:]


def _folded(part: str) -> str:
    """Return a part in lower case, except the B of a number of bytes, model names and FAISS factory strings."""
    if part.lower().startswith("faiss:"):
        return "faiss:" + part[len("faiss:") :]
    head, opening, rest = part.partition("(")
    models, closing, tail = rest.rpartition(")")
    return re.sub(r"(?<=\d)b$", "B", head.lower()) + opening + models + closing + tail.lower()
