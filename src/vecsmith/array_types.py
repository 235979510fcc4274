"""Types of arrays, by dtype and role."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.floating[Any]]
"""Vectors (n, d) in the dtype of an embedding set: float16, float32 or float64."""
Floats = NDArray[np.float32]
"""Vectors, scores and parameters in single precision."""
Doubles = NDArray[np.float64]
"""Moments, spectra and statistics in double precision."""
Codes = NDArray[np.uint8]
"""Codes (n, bytes_per_vector)."""
Bits = NDArray[np.bool_]
"""Bits (n, m) before they are packed into codes."""
RowNumbers = NDArray[np.int64]
"""Row numbers of documents; −1 stands for a missing document."""
RowMask = NDArray[np.bool_]
"""Mask (n,) of rows."""
