"""Brute-force scores that searches are compared with."""

import numpy as np
from numpy.typing import NDArray

from vecsmith.array_types import Codes, Floats
from vecsmith.codecs import Codec


def asymmetric_scores(codec: Codec, Q: Floats, codes: Codes) -> Floats:
    """Return the inner products (n, m) of float queries (n, d) with decoded codes (m, bytes_per_vector)."""
    return np.asarray(Q @ codec.decode(codes).T, dtype=np.float32)


def hamming_distances(a: Codes, b: Codes) -> NDArray[np.int32]:
    """Return the number of differing bits (n, m) of codes (n, bytes) and (m, bytes)."""
    ones_a, ones_b = (np.unpackbits(codes, axis=1).astype(np.float32) for codes in (a, b))
    distances = ones_a.sum(axis=1)[:, None] + ones_b.sum(axis=1)[None, :] - 2 * ones_a @ ones_b.T
    return np.asarray(distances, dtype=np.int32)
