"""Two stages with codes of two quantizers: a scan over the first codes, then a shortlist reordered by the whole."""

from collections.abc import Sequence
from copy import copy
from dataclasses import replace

import numpy as np

from vecsmith.codecs import Codec
from vecsmith.codecs.quantizers.residual import Residual
from vecsmith.errors import VecsmithError
from vecsmith.index.exact import CodedVectors, CodedVectorsOfFolds
from vecsmith.index.part import CodePartition


def has_two_quantizers(codec: Codec) -> bool:
    """Whether a codec joins two quantizers, such as hybrid24B+trellis24B."""
    return isinstance(codec.quantizer, Residual)


def first_stage(codec: Codec) -> Codec | None:
    """Return the codec of the first codes, where a codec has two quantizers; these are scanned by themselves."""
    quantizer = codec.quantizer
    if not isinstance(quantizer, Residual):
        return None
    first = copy(codec)
    first.spec, first.quantizer = codec.spec.removesuffix(f"+{quantizer.second.spec}"), quantizer.first
    return first


def memory_bytes_per_vector(codec: Codec) -> int:
    """Return the bytes per vector that a two-stage search holds in memory: the whole codes, and the scan's own copy."""
    first = first_stage(codec)
    assert first is not None
    shared = first.bytes_per_vector if first.quantizer.scanned else 0
    return codec.bytes_per_vector + first.memory_bytes_per_vector - shared


def is_first_stage_of(codec: Codec, whole: Codec) -> bool:
    """Whether the codes of `whole` begin with what `codec` makes, as `first_stage` says."""
    return isinstance(whole.quantizer, Residual) and whole.quantizer.first is codec.quantizer


def split_stages(parts: Sequence[CodePartition]) -> tuple[list[CodePartition], CodedVectors | CodedVectorsOfFolds]:
    """Return the two stages of a search: the first codes, which are scanned, and the whole codes, which reorder.

    Raises
    ------
    VecsmithError
        If the codes are not of two quantizers.
    """
    if not has_two_quantizers(parts[0].codec):
        raise VecsmithError(
            "Scoring 'rescored' reorders with the original vectors, or with codes of two quantizers, such as "
            "hybrid24B+trellis24B; give the vectors as `originals`."
        )
    scanned = []
    for part in parts:
        first = first_stage(part.codec)
        assert first is not None
        scanned.append(replace(part, codec=first, codes=part.codes[:, : first.bytes_per_vector]))
    whole = [CodedVectors(part.codec, part.codes) for part in parts]
    return scanned, whole[0] if len(whole) == 1 else CodedVectorsOfFolds(
        whole, [np.asarray(part.rows) for part in parts]
    )
