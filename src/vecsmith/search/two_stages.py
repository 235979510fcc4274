"""Two stages with codes of two quantisers: a scan over the first codes, then a shortlist reordered by the whole."""

from collections.abc import Sequence
from copy import copy
from dataclasses import replace

import numpy as np

from vecsmith.codecs import Codec
from vecsmith.codecs.residual import Residual
from vecsmith.errors import VecsmithError
from vecsmith.search.exact import Decoded, DecodedParts
from vecsmith.search.part import Part


def has_two_quantizers(codec: Codec) -> bool:
    """Whether a codec joins two quantizers, such as hybrid24B+trellis24B."""
    return isinstance(codec.quantiser, Residual)


def coarse(codec: Codec) -> Codec | None:
    """Return the codec of the first codes, where a codec has two quantisers; these are scanned by themselves."""
    quantiser = codec.quantiser
    if not isinstance(quantiser, Residual):
        return None
    first = copy(codec)
    first.spec, first.quantiser = codec.spec.removesuffix(f"+{quantiser.second.spec}"), quantiser.first
    return first


def memory_bytes_per_vector(codec: Codec) -> int:
    """Return the bytes per vector that a two-stage search holds in memory: the whole codes, and the scan's own copy."""
    first = coarse(codec)
    assert first is not None
    shared = first.bytes_per_vector if first.quantiser.scanned else 0
    return codec.bytes_per_vector + first.memory_bytes_per_vector - shared


def begins(codec: Codec, whole: Codec) -> bool:
    """Whether the codes of `whole` begin with what `codec` makes, as `coarse` says."""
    return isinstance(whole.quantiser, Residual) and whole.quantiser.first is codec.quantiser


def in_stages(parts: Sequence[Part]) -> tuple[list[Part], Decoded | DecodedParts]:
    """Return the two stages of a search: the first codes, which are scanned, and the whole codes, which reorder.

    Raises
    ------
    VecsmithError
        If the codes are not of two quantizers.
    """
    if not has_two_quantizers(parts[0].codec):
        raise VecsmithError(
            "Scoring 'rescored' reorders with the original vectors, or with codes of two quantisers, such as "
            "hybrid24B+trellis24B; give the vectors as `originals`."
        )
    scanned = []
    for part in parts:
        first = coarse(part.codec)
        assert first is not None
        scanned.append(replace(part, codec=first, codes=part.codes[:, : first.bytes_per_vector]))
    whole = [Decoded(part.codec, part.codes) for part in parts]
    return scanned, whole[0] if len(whole) == 1 else DecodedParts(whole, [np.asarray(part.rows) for part in parts])
