"""Other packages that compress vectors and search the codes, as far as they are installed (`make bench` does that).

Each scans all of its codes, fitted on the same sample, with as many threads as the other methods. Sizes are those of
the file that the package saves, so they include scales, factors and row numbers.
"""

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from speed_harness import FIT_ROWS, K
from speed_methods import Engine, Method

CLUSTERS = 16
"""Clusters of rabitqlib, whose codes are of differences from centroids; all are scanned."""


def rivals(d: int, threads: int) -> Iterator[Method]:
    """Yield the methods of the packages that run here, for vectors of d dimensions, and say which do not."""
    lines: list[tuple[str, str, int, Callable[[Any], Engine]]] = []
    build: Callable[[Any], Engine]
    for bits in (2, 4):
        # with a scale per vector
        lines.append(("turbovec", f"turbovec {bits} bits", bits * d // 8 + 4, partial(turbovec_scan, bits=bits)))
    for bits in (1, 2, 4):
        # with 16 bytes of factors and row number, and 8 bytes more for several bits
        size, build = bits * d // 8 + 16 + 8 * (bits > 1), partial(rabitqlib_scan, bits=bits, threads=threads)
        lines.append(("rabitqlib", f"rabitqlib {bits} bits", size, build))
    for group in (4, 2):
        # a byte for each group of dimensions
        name, build = f"ScaNN AH, {group} dimensions a code", partial(scann_scan, group=group, threads=threads)
        lines.append(("scann", name, d // group, build))
    for primary, residual in ((4, 4), (8, 0)):
        # with a scale and an offset in float16
        build = partial(svs_scan, primary=primary, residual=residual, threads=threads)
        lines.append(("svs", f"SVS LVQ{primary}x{residual}", (primary + residual) * d // 8 + 4, build))
    for package, name, size, build in lines:
        if not find_spec(package):
            print(f"{name} is left out: the package {package} is not installed.", flush=True)
        elif package == "svs" and "GenuineIntel" not in Path("/proc/cpuinfo").read_text():
            print(f"{name} is left out: the package ends the process unless the processor is Intel's.", flush=True)
        else:
            yield Method(name, size, build, copies=package == "svs")


def turbovec_scan(X: Any, bits: int) -> Engine:
    """Return turbovec's index, calibrated on a sample; RAYON_NUM_THREADS sets its threads."""
    import turbovec

    index = turbovec.TurboQuantIndex(dim=X.shape[1], bit_width=bits)
    index.calibrate(X[:FIT_ROWS])
    index.add(X)
    index.prepare()
    return Engine(lambda Q, k: index.search(Q, k)[1])


def rabitqlib_scan(X: Any, bits: int, threads: int) -> Engine:
    """Return rabitqlib's index, of which all clusters are probed."""
    import rabitqlib

    d, sample = X.shape[1], X[:FIT_ROWS]
    clustering = rabitqlib.RaBitQKMeans(d, CLUSTERS)
    clustering.train(sample)
    index = rabitqlib.IvfIndex(d, len(X), CLUSTERS, bits, "ip")
    nearest = faiss.knn(X, np.ascontiguousarray(clustering.centroids), 1)[1][:, 0]
    index.build(X, clustering.centroids, nearest.astype(np.uint32))
    return Engine(lambda Q, k: index.search(Q, k, CLUSTERS, num_threads=threads)[0])


def scann_scan(X: Any, group: int, threads: int) -> Engine:
    """Return ScaNN's asymmetric hashing alone, with the threshold that ScaNN recommends for unit vectors."""
    import scann

    builder = scann.scann_ops_pybind.builder(X, K, "dot_product")
    searcher = builder.score_ah(group, anisotropic_quantization_threshold=0.2).build()
    searcher.set_num_threads(threads)
    many = searcher.search_batched if threads == 1 else searcher.search_batched_parallel

    def search(Q: Any, k: int) -> Any:
        return searcher.search(Q[0], k)[0][None] if len(Q) == 1 else many(Q, k)[0]

    return Engine(search)


def svs_scan(X: Any, primary: int, residual: int, threads: int) -> Engine:
    """Return the flat index of Scalable Vector Search over LVQ codes, which it reads from a file of floats."""
    import svs

    with tempfile.TemporaryDirectory(prefix="vecsmith-") as folder:
        file = f"{folder}/vectors.fvecs"
        svs.write_vecs(X, file)
        loader = svs.LVQLoader(svs.VectorDataLoader(file, svs.DataType.float32, X.shape[1]), primary, residual)
        index = svs.Flat(loader, svs.DistanceType.MIP, num_threads=threads)
    return Engine(lambda Q, k: index.search(Q, k)[0])
