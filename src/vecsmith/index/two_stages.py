"""Two-stage search: codes of two quantizers, of which the first are scanned and the whole rescore the shortlist."""

from collections.abc import Sequence
from copy import copy
from dataclasses import replace

import numpy as np

from vecsmith.codecs import Codec
from vecsmith.codecs.quantizers.residual import Residual
from vecsmith.errors import VecsmithError
from vecsmith.index.coded_vectors import CodedVectors, FoldedCodedVectors
from vecsmith.index.scanning import CodePartition


def has_two_quantizers(codec: Codec) -> bool:
    """Return whether a codec joins two quantizers, such as hybrid24B+trellis24B."""
    return isinstance(codec.quantizer, Residual)


def first_stage(codec: Codec) -> Codec | None:
    """Return the codec of the first quantizer's codes, which can be scanned; None if the codec has one quantizer."""
    quantizer = codec.quantizer
    if not isinstance(quantizer, Residual):
        return None
    first = copy(codec)
    first.spec, first.quantizer = codec.spec.removesuffix(f"+{quantizer.second.spec}"), quantizer.first
    return first


def memory_bytes_per_vector(codec: Codec) -> int:
    """Return the bytes per vector that a two-stage search holds in memory: whole codes, and the copy for the scan."""
    first = first_stage(codec)
    assert first is not None
    return codec.bytes_per_vector + first.memory_bytes_per_vector - first.bytes_per_vector


def is_first_stage_of(codec: Codec, whole: Codec) -> bool:
    """Return whether `codec` is the first stage of `whole`, whose codes then begin with the codes of `codec`."""
    return isinstance(whole.quantizer, Residual) and whole.quantizer.first is codec.quantizer


def split_stages(
    partitions: Sequence[CodePartition],
) -> tuple[list[CodePartition], CodedVectors | FoldedCodedVectors]:
    """Split codes of two quantizers into the stages of a search.

    Parameters
    ----------
    partitions : sequence of CodePartition
        Codes of two quantizers.

    Returns
    -------
    scanned : list of CodePartition
        Codes of the first quantizer.
    originals : CodedVectors or FoldedCodedVectors
        Whole codes, which rescore the shortlist.

    Raises
    ------
    VecsmithError
        If the codes are of one quantizer.
    """
    if not has_two_quantizers(partitions[0].codec):
        raise VecsmithError(
            "Scoring 'rescored' reorders with the original vectors, or with codes of two quantizers, such as "
            "hybrid24B+trellis24B; give the vectors as `originals`."
        )
    scanned = []
    for partition in partitions:
        first = first_stage(partition.codec)
        assert first is not None
        scanned.append(replace(partition, codec=first, codes=partition.codes[:, : first.bytes_per_vector]))
    whole = [CodedVectors(partition.codec, partition.codes) for partition in partitions]
    if len(whole) == 1:
        return scanned, whole[0]
    return scanned, FoldedCodedVectors(whole, [np.asarray(partition.rows) for partition in partitions])
