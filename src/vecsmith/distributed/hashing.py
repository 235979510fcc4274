"""Hashes of strings that are equal in all processes, for sampling and for finding duplicates."""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
"""Odd base of the polynomial, 2⁶⁴ divided by the golden ratio."""


def string_hashes(strings: Any, seed: int = 0) -> NDArray[np.uint64]:
    """Return a 64-bit hash (n,) of each string of an Arrow array.

    The hash is a polynomial of the UTF-8 bytes modulo 2⁶⁴, whose bits SplitMix64 mixes. Equal strings have equal
    hashes. That different strings have different hashes is likely, but not certain.

    Parameters
    ----------
    strings : pyarrow.Array or pyarrow.ChunkedArray
        n strings without nulls.
    seed : int
        Seed: another seed gives an independent hash.

    References
    ----------
    Steele, Lea and Flood 2014, Fast splittable pseudorandom number generators, OOPSLA (SplitMix64).
    """
    array = strings.combine_chunks() if isinstance(strings, pa.ChunkedArray) else strings
    array = array.cast(pa.large_binary())
    offsets = np.frombuffer(array.buffers()[1], np.int64)[array.offset : array.offset + len(array) + 1]
    lengths = np.diff(offsets)
    text = array.buffers()[2]
    characters = np.frombuffer(text, np.uint8)[offsets[0] : offsets[-1]] if text else np.empty(0, np.uint8)
    with np.errstate(over="ignore"):
        powers = np.multiply.accumulate(np.full(max(int(lengths.max(initial=0)), 1), MULTIPLIER))
        places = np.arange(len(characters)) - np.repeat(offsets[:-1] - offsets[0], lengths)
        # a byte 0 counts too, and the length tells strings apart that end in it
        terms = (characters.astype(np.uint64) + np.uint64(1)) * powers[places]
        sums = np.concatenate([[np.uint64(0)], np.add.accumulate(terms, dtype=np.uint64)])
        ends = offsets - offsets[0]
        polynomials = sums[ends[1:]] - sums[ends[:-1]]
        return _mixed(polynomials + _mixed(lengths.astype(np.uint64) + np.uint64(seed) * MULTIPLIER))


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return SplitMix64's mixture of the bits of integers (n,)."""
    with np.errstate(over="ignore"):
        values = values + MULTIPLIER
        values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return values ^ (values >> np.uint64(31))
