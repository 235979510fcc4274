"""Parsing of codec specs such as ``"pca192,binary"``."""

import re

from vecsmith.codecs import quantizers, reducers
from vecsmith.codecs.quantizers.floats import Float32
from vecsmith.codecs.reducers.fuse import Fuse
from vecsmith.codecs.registry import stage_named
from vecsmith.codecs.stages import Quantizer, Reducer
from vecsmith.errors import VecsmithError
from vecsmith.plugins import import_modules

# importing a module registers the stages that it defines
for _package in (reducers, quantizers):
    import_modules(_package.__name__)


def parse(spec: str) -> tuple[list[Reducer], Quantizer]:
    """Return the unfitted stages of a spec such as ``"pca192,binary"``.

    Raises
    ------
    VecsmithError
        If a stage is unknown (the error suggests the nearest), comes after the quantizer, or is a fusion that is not
        the first stage.
    """
    stages = [stage_named(part) for part in _split(spec)]
    reducers = [stage for stage in stages[:-1] if isinstance(stage, Reducer)]
    if len(reducers) != len(stages) - 1:
        raise VecsmithError(
            f"The codec {spec!r} goes on after its quantizer; write reducers first, then at most one quantizer."
        )
    if any(isinstance(stage, Fuse) for stage in stages[1:]):
        raise VecsmithError(f"The codec {spec!r} has a reducer before its fusion; write fuse(…) first.")
    last = stages[-1]
    if isinstance(last, Reducer):
        return [*reducers, last], Float32()
    assert isinstance(last, Quantizer)
    return reducers, last


def canonical(spec: str) -> str:
    """Return the canonical form of a spec: ``"PCA16, int8"`` becomes ``"pca16,int8"``.

    Raises
    ------
    VecsmithError
        As in `parse`.
    """
    reducers, quantizer = parse(spec)
    written = ",".join(stage.spec for stage in [*reducers, quantizer] if stage.spec)
    # scikit-learn's clone requires that the constructor stores the same object
    return spec if written == spec else written


def _split(spec: str) -> list[str]:
    """Split at commas outside parentheses, but not after ``faiss:``, whose factory strings contain commas."""
    head, *factory = re.split(r"(?=faiss:)", spec, maxsplit=1, flags=re.IGNORECASE)
    *parts, last = re.split(r",(?![^()]*\))", head)
    return [*parts, "".join([last, *factory])]
