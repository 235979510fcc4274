"""Codes, decodings, rankings and translations are bit for bit those recorded in `unchanged.json`.

`python tests/test_unchanged.py` records them anew, which is needed where a method is meant to change.
"""

import hashlib
import json
import platform
import re
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest
from numpy.typing import NDArray
from threadpoolctl import threadpool_info, threadpool_limits

import vecsmith
from vecsmith.codecs import STAGES
from vecsmith.translators import TRANSLATORS, translator

RECORD = Path(__file__).with_name("unchanged.json")
CHAINS = (
    "pca13,binary",
    "truncate13,int4",
    "truncate30,pca11,median",
    "pca20,faiss:PQ5x4",
    "pca20",
    "hybrid8B",
    "trellis12B",
    "trellis3B",
    "hybrid6B+trellis6B",
    "pca24,trellis6B",
    "itq4B",
    "autoencoder16",
)
CODECS = sorted({*(stage.example for stage in STAGES.values()), *CHAINS})
FUSIONS = ("fuse(a,b)", "fuse(a:0.7,b:0.3),int8", "fuse(a,b):fit,trellis6B", "fuse(a,b):fit,pca20")
TRANSLATIONS = sorted({*(method.example for method in TRANSLATORS.values()), "linear:rank5", "mlp2x2:cosine"})
SCORINGS = ("symmetric", "asymmetric", "rescored")


def machine() -> dict[str, str]:
    """Return what rounding depends on: the libraries that multiply, and the processor they are built for."""
    blas = {
        f"{pool.get('architecture')} {pool['version']}"
        for pool in threadpool_info()
        if pool["user_api"] == "blas" and re.search(r"[/\\](numpy|faiss)", pool["filepath"])
    }
    return {
        "processor": platform.machine(),
        "numpy": np.__version__,
        "faiss": faiss.__version__,
        "numba": version("numba") if find_spec("numba") else "",
        "faiss options": faiss.get_compile_options(),
        "BLAS": ", ".join(sorted(blas)),
    }


def data(n: int, d: int, seed: int) -> NDArray[np.float32]:
    """Return n unit vectors of d dimensions with a falling spectrum and a mean."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d)) / np.sqrt(np.arange(1, d + 1)) + 0.3 * rng.standard_normal(d)
    return np.asarray(X / np.linalg.norm(X, axis=1, keepdims=True), dtype=np.float32)


def digest(*arrays: Any) -> str:
    """Return a hash of arrays, their shapes and dtypes."""
    result = hashlib.sha256()
    for array in map(np.ascontiguousarray, arrays):
        result.update(f"{array.dtype.str}{array.shape}".encode() + array.tobytes())
    return result.hexdigest()[:16]


def codec_hashes(spec: str) -> dict[str, str]:
    """Return the hashes of codes, decodings and rankings of a codec."""
    X, Q = data(600, 40, 0), data(20, 40, 1)
    return _hashes(vecsmith.codec(spec, seed=1).fit(X[:500]), X, Q)


def fusion_hashes(spec: str) -> dict[str, str]:
    """Return the hashes of codes, decodings and rankings of two models' vectors."""
    a, b = (data(620, 24, seed) for seed in (2, 3))
    b[:, :12] = a[:, :12]
    X, Q = [a[:600], b[:600]], [a[600:], b[600:]]
    return _hashes(vecsmith.codec(spec, seed=1).fit(X), X, Q)


def _hashes(codec: vecsmith.Codec, X: Any, Q: Any) -> dict[str, str]:
    codes = codec.encode(X)
    result = {"codes": digest(codes), "decoded": digest(codec.decode(codes)), "reduced": digest(codec.transform(X))}
    for scoring in SCORINGS:
        index = vecsmith.Index(codec, X, scoring)
        result[scoring] = digest(*index.search(Q, k=30))
    return result


def translation_hashes(spec: str) -> dict[str, str]:
    """Return the hashes of the vectors that a translator makes, and of its scores' calibration."""
    X, Y = data(500, 24, 4), data(500, 30, 5)
    Y[:, :20] = X[:, :20]
    if spec.startswith("adapter"):
        Y = Y[:, :24]
    fitted = translator(spec, seed=1).fit(X[:400], Y[:400])
    return {"translated": digest(fitted.transform(X))}


KINDS: dict[str, tuple[tuple[str, ...] | list[str], Callable[[str], dict[str, str]]]] = {
    "codec": (CODECS, codec_hashes),
    "fusion": (FUSIONS, fusion_hashes),
    "translator": (TRANSLATIONS, translation_hashes),
}


def hashes_of(kind: str, spec: str) -> dict[str, str]:
    """Return the hashes computed on one thread, since rounding depends on the number of threads."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            return KINDS[kind][1](spec)
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize(("kind", "spec"), [(kind, spec) for kind, (specs, _) in KINDS.items() for spec in specs])
def test_results_are_bit_for_bit_those_recorded(kind: str, spec: str) -> None:
    record = json.loads(RECORD.read_text())
    if record["machine"] != machine():
        pytest.skip(f"recorded with {record['machine']}; products of matrices are rounded differently here")
    pytest.importorskip("torch")
    assert hashes_of(kind, spec) == record[kind][spec]


if __name__ == "__main__":
    recorded: dict[str, Any] = {"machine": machine()}
    for name, (specs, _) in KINDS.items():
        recorded[name] = {spec: hashes_of(name, spec) for spec in specs}
    RECORD.write_text(json.dumps(recorded, indent=1, sort_keys=True) + "\n")
