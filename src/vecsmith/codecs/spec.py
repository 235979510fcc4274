"""Specs: what a user writes to name a codec, read left to right."""

import importlib
import pkgutil
import re

from vecsmith.codecs import quantizers, reducers
from vecsmith.codecs.quantizers.floats import Float32
from vecsmith.codecs.reducers.fuse import Fuse
from vecsmith.codecs.registry import stage_named
from vecsmith.codecs.stages import Quantizer, Reducer
from vecsmith.errors import VecsmithError
from vecsmith.plugins import load_entry_points

# every module of these packages registers the stages that it defines
for _package in (reducers, quantizers):
    for _module in pkgutil.iter_modules(_package.__path__):
        importlib.import_module(f"{_package.__name__}.{_module.name}")


def parse(spec: str) -> tuple[list[Reducer], Quantizer]:
    """Return the stages that a spec such as ``"pca192,binary"`` names, not yet fitted.

    Raises
    ------
    VecsmithError
        If a part is unknown (with the nearest known one), or comes after the quantizer, or a fusion is not the first.
    """
    load_entry_points("vecsmith.codecs")
    stages = [stage_named(part) for part in _split(spec)]
    reducers = [stage for stage in stages[:-1] if isinstance(stage, Reducer)]
    if len(reducers) != len(stages) - 1:
        raise VecsmithError(
            f"The codec {spec!r} goes on after its quantizer; write reducers first, then at most one quantizer."
        )
    if any(isinstance(stage, Fuse) for stage in stages[1:]):
        raise VecsmithError(f"The codec {spec!r} fuses what was reduced before; write fuse(…) first.")
    last = stages[-1]
    if isinstance(last, Reducer):
        return [*reducers, last], Float32()
    assert isinstance(last, Quantizer)
    return reducers, last


def canonical(spec: str) -> str:
    """Return a spec as a codec keeps it: ``"PCA16, int8"`` is ``"pca16,int8"``.

    Raises
    ------
    VecsmithError
        As `parse`.
    """
    reducers, quantizer = parse(spec)
    written = ",".join(stage.spec for stage in [*reducers, quantizer] if stage.spec)
    # scikit-learn's clone wants the very object back that it gave
    return spec if written == spec else written


def _split(spec: str) -> list[str]:
    """Split at commas, but not in parentheses, nor behind ``faiss:``, whose factory strings have their own."""
    head, *factory = re.split(r"(?=faiss:)", spec, maxsplit=1, flags=re.IGNORECASE)
    *parts, last = re.split(r",(?![^()]*\))", head)
    return [*parts, "".join([last, *factory])]
