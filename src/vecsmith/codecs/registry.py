"""The parts of a spec: one stage each, found by its pattern."""

import re
from collections.abc import Iterator

from vecsmith.codecs.options import parse_options
from vecsmith.codecs.stages import STAGES, Stage
from vecsmith.errors import VecsmithError, unknown

OPTIONS = re.compile(r"(?P<stage>.+)\((?P<options>[^()]*)\)")
PLACEHOLDERS = {"K": "192", "N": "48"}
"""The letters for numbers in `Stage.usage`, and numbers to write instead."""


def stage_named(part: str) -> Stage:
    """Return the stage that a part of a spec such as ``"hybrid48B"`` names, not yet fitted; its `spec` is canonical.

    Upper and lower case, and spaces around the part, do not matter.

    Raises
    ------
    VecsmithError
        If there is no such stage, with the nearest one, or it does not take a training option.
    """
    part = part.strip()
    for text in (part, _folded(part)):
        if stage := _match(text):
            return stage
    if found := OPTIONS.fullmatch(part):
        stage = stage_named(found["stage"])
        stage.options = parse_options(stage.spec, found["options"], stage.takes)
        said = [f"{name}={str(value).removesuffix('.0')}" for name, value in stage.options.items()]
        stage.spec += f"({','.join(said)})"
        return stage
    for letter, number in PLACEHOLDERS.items():
        if letter in part and (text := part.replace(letter, number)) and _match(text):
            raise VecsmithError(f"Unknown codec {part!r}: write a number for {letter}, such as {text}.")
    if "/" in part:
        raise VecsmithError(f"Unknown codec {part!r}: there is no such folder, and it is not a spec such as pca192.")
    raise unknown("codec", part, STAGES)


def _match(text: str) -> Stage | None:
    for stage_class in STAGES.values():
        if found := re.fullmatch(stage_class.pattern, text):
            parameters = {name: int(value) if value.isdigit() else value for name, value in found.groupdict().items()}
            stage = stage_class(**parameters)
            stage.spec = stage.spec or "".join(_canonical(found, parameters))
            return stage
    return None


def _canonical(found: re.Match[str], parameters: dict[str, int | str]) -> Iterator[str]:
    """Yield the pieces of a matched text, with the parsed parameters in their places: ``pca016`` is ``pca16``."""
    end = 0
    for name, value in parameters.items():
        yield found.string[end : found.start(name)] + str(value)
        end = found.end(name)
    yield found.string[end:]


def _folded(part: str) -> str:
    """Return a part in lower case, except the B of a number of bytes, model names and FAISS's factory strings."""
    if part.lower().startswith("faiss:"):
        return "faiss:" + part[len("faiss:") :]
    head, opening, rest = part.partition("(")
    models, closing, tail = rest.rpartition(")")
    return re.sub(r"(?<=\d)b$", "B", head.lower()) + opening + models + closing + tail.lower()
