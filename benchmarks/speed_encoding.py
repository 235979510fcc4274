"""Speed of encoding: vecsmith's codecs, with and without compiled loops, and FAISS's."""

import argparse
import time
from collections.abc import Callable, Iterator
from functools import partial
from statistics import median
from typing import Any
from unittest.mock import patch

import faiss
import numpy as np
from speed_harness import FIT_ROWS, ROUNDS, load, page
from threadpoolctl import threadpool_limits

import vecsmith
from vecsmith.codecs.quantizers import trellis_coding

Encode = Callable[[Any], Any]
"""A function of vectors (n, d) that returns codes (n, bytes)."""
ENCODED_ROWS = 200_000
SLOW_ROWS = 5_000
"""Vectors for methods that encode a few thousand per second."""


def encoding(options: argparse.Namespace) -> str:
    """Compare the speed of encoding with FAISS's product quantizer of 48 bytes."""
    X, _ = load(options.vectors, (options.rows or [ENCODED_ROWS])[0])
    faiss.omp_set_num_threads(options.threads)
    with threadpool_limits(options.threads):
        methods = list(_methods(X[:FIT_ROWS]))
        times: dict[str, list[float]] = {name: [] for name, *_ in methods}
        for name, _, encode, is_slow in methods * ROUNDS:
            count = SLOW_ROWS if is_slow else len(X)
            start = time.perf_counter()
            encode(X[:count])
            times[name].append((time.perf_counter() - start) / count)
    speeds = {name: 1 / median(each) for name, each in times.items()}
    first = speeds[methods[0][0]]
    rows = [
        [name, str(size), f"{speeds[name] / first:.2f}", f"{speeds[name]:,.0f}"]
        for name, size, *_ in sorted(methods, key=lambda method: -speeds[method[0]])
    ]
    text = (
        f"{len(X):,} × {X.shape[1]} documents made from real vectors with noise ({SLOW_ROWS:,} for slow methods, "
        f"such as those without numba), {options.threads} thread(s), medians of {ROUNDS} rounds in which all "
        f"methods take turns. `times PQ48`: speed relative to the product quantizer of FAISS with 48 bytes"
    )
    return page("encoding", text, ["", "bytes", "times PQ48", "vectors/s"], rows)


def _methods(X: Any) -> Iterator[tuple[str, int, Encode, bool]]:
    """Yield name, bytes per vector and function of each fitted method, and whether it is slow."""
    for factory in ("PQ48", "OPQ48,PQ48", "PQ96x4fs", "RaBitQ", "SQ8", "RQ24x8"):
        index = faiss.index_factory(X.shape[1], factory)
        is_slow = factory.startswith("RQ")
        index.train(X[:SLOW_ROWS] if is_slow else X)
        yield f"FAISS {factory}", index.sa_code_size(), index.sa_encode, is_slow
    for spec in ("trellis24B", "trellis48B", "trellis96B", "hybrid24B", "hybrid48B", "hybrid96B", "binary", "int8"):
        codec = vecsmith.codec(spec).fit(X)
        size = codec.encode(X[:1]).shape[1]
        yield f"vecsmith {spec}", size, codec.encode, False
        if spec.startswith("trellis"):
            yield f"vecsmith {spec}, without numba", size, partial(_without_numba, codec), True


def _without_numba(codec: vecsmith.Codec, X: Any) -> Any:
    with patch.object(trellis_coding, "compiled_module", return_value=None):
        return codec.encode(np.asarray(X))
