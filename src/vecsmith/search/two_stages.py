"""Two stages with codes of two quantisers: a scan over the first codes, then a shortlist reordered by the whole."""

from collections.abc import Sequence
from copy import copy
from dataclasses import replace

from vecsmith.codecs import Codec
from vecsmith.codecs.residual import Residual
from vecsmith.errors import VecsmithError
from vecsmith.search.exact import Decoded
from vecsmith.search.part import Part


def coarse(codec: Codec) -> Codec | None:
    """Return the codec of the first codes, where a codec has two quantisers; these are scanned by themselves."""
    quantiser = codec.quantiser
    if not isinstance(quantiser, Residual):
        return None
    first = copy(codec)
    first.spec, first.quantiser = codec.spec.removesuffix(f"+{quantiser.second_spec}"), quantiser.first
    return first


def begins(codec: Codec, whole: Codec) -> bool:
    """Whether the codes of `whole` begin with what `codec` makes, as `coarse` says."""
    return isinstance(whole.quantiser, Residual) and whole.quantiser.first is codec.quantiser


def in_stages(parts: Sequence[Part]) -> tuple[list[Part], Decoded]:
    """Return what is scanned, and what reorders: the first codes, and the whole codes.

    Raises
    ------
    VecsmithError
        If the codes are not of two quantisers, or of several codecs.
    """
    whole, first = parts[0], coarse(parts[0].codec)
    if first is None or len(parts) > 1:
        raise VecsmithError(
            "Scoring 'rescored' reorders with the original vectors, or with codes of two quantisers, such as "
            "hybrid24B+trellis24B; give the vectors as `originals`."
        )
    scanned = replace(whole, codec=first, codes=whole.codes[:, : first.bytes_per_vector])
    return [scanned], Decoded(whole.codec, whole.codes)
