"""Random samples of rows."""

import numpy as np

from vecsmith.array_types import RowNumbers


def sample_rows(n: int, size: int, seed: int | np.random.Generator) -> RowNumbers:
    """Return `size` of n row numbers, drawn at random without replacement and sorted; all of them where n is smaller.

    The sample depends only on `n`, `size` and `seed`, and not on how rows are split into blocks or files.

    Parameters
    ----------
    n : int
        Number of rows.
    size : int
        Rows to draw.
    seed : int or numpy.random.Generator
        Seed, or the generator to draw from.
    """
    return np.sort(np.random.default_rng(seed).permutation(n)[:size])
