"""Compiled exact scores of 4-bit codes, which are used where numba is installed (extra ``fast``)."""

import numpy as np

from vecsmith.array_types import Codes, Floats, RowNumbers
from vecsmith.codecs._compiled import compiled


@compiled
def multiply_entries(codebooks: Floats, q: Floats, products: Floats) -> None:
    """Write the inner products of a query (G · v,) with all codebook entries (G, 16, v) to `products` (G, 16)."""
    n_groups, n_entries, width = codebooks.shape
    for group in range(n_groups):
        for entry in range(n_entries):
            product = np.float32(0)
            for slot in range(width):
                product += codebooks[group, entry, slot] * q[group * width + slot]
            products[group, entry] = product


@compiled
def score(codes: Codes, codebooks: Floats, Q: Floats, places: RowNumbers, scores: Floats) -> None:
    """Write the inner products of each query with its own candidates to `scores`, without decoding codes.

    Parameters
    ----------
    codes : ndarray of shape (m, bytes), uint8
        All codes.
    codebooks : ndarray of shape (G, 16, v), float32
        Codebook entries of every group of four bits, the low bits of a byte first; two groups per byte.
    Q : ndarray of shape (n, G · v), float32
        Queries.
    places : ndarray of shape (n, c), int64
        Positions of the candidates among the codes; −1 marks an empty place.
    scores : ndarray of shape (n, c), float32
        Result; −inf at empty places.
    """
    products = np.empty(codebooks.shape[:2], np.float32)
    for row in range(len(Q)):
        multiply_entries(codebooks, Q[row], products)
        for column in range(places.shape[1]):
            place, total = places[row, column], np.float32(0)
            if place < 0:
                scores[row, column] = -np.inf
                continue
            for byte in range(codes.shape[1]):
                code = codes[place, byte]
                total += products[2 * byte, code & 15] + products[2 * byte + 1, code >> 4]
            scores[row, column] = total
