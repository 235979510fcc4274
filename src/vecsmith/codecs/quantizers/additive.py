"""Additive quantization: a vector is a sum of codebook entries, one of 16 per group."""

import warnings
from typing import ClassVar

import numpy as np

from vecsmith.codecs.quantizers.hybrid import Hybrid
from vecsmith.codecs.quantizers.nibbles import ENTRIES, NibbleQuantizer
from vecsmith.codecs.quantizers.spectrum import unshrinking
from vecsmith.codecs.stages import CACHE_BLOCK_ROWS, Codes, Floats, check_range
from vecsmith.embeddings import sample_rows
from vecsmith.errors import VecsmithWarning
from vecsmith.progress import losses

TRAINING_VECTORS = 20_000
ITERATIONS, SWEEPS = 5, 2
"""Alternations of codebook and code updates in fitting, and sweeps of coordinate descent per code update."""
ENCODING_SWEEPS = 6
"""Sweeps of coordinate descent in encoding."""
RIDGE = 50.0
"""Weight of an entry's initial value in its update, in vectors (docs/studies/quantizers.md)."""
BLOCK_GROUPS = 4
"""Groups that coordinate descent updates at a time, so that they fit in the CPU cache."""
NO_ENTRY = ENTRIES
"""Code of a group without an entry yet."""


class Additive(NibbleQuantizer):
    """Groups of four bits, each selecting one of 16 vectors of d dimensions, whose sum approximates x − μ.

    Fitting alternates between entries and codes: entries by ridge regression towards their initial values, codes by
    coordinate descent on ‖x − μ − Σ_g C_g[code_g]‖² over the groups. The initial entries are those of `Hybrid`, whose
    groups are such sums along separate principal components. Encoding uses the same descent, starting without entries.

    A code decodes to μ + S Σ_g C_g[code_g], normalized, where S = V g⁻ᵖ Vᵀ partly undoes the shrinkage of the principal
    components V by least squares (see `unshrinking`).

    Parameters
    ----------
    size : int
        Bytes per code, at most d/2.

    Attributes
    ----------
    mean_ : ndarray of shape (d,)
        μ.
    entries_ : ndarray of shape (2 · size, 16, d)
        C.
    unshrink_ : ndarray of shape (d, d)
        S.

    References
    ----------
    Babenko and Lempitsky 2014, Additive quantization for extreme vector compression, CVPR. Martinez et al. 2018,
    LSQ++: lower running time and higher recall in multi-codebook quantization, ECCV.
    """

    usage = "additiveNB"
    pattern = r"additive(?P<size>\d+)B"
    example = "additive5B"
    summary = "N bytes: sums of learned vectors, one of 16 per four bits; fast scan"
    state: ClassVar = {"mean_": ("d",), "entries_": ("*", "*", "d"), "unshrink_": ("d", "d")}

    mean_: Floats
    entries_: Floats
    unshrink_: Floats

    def __init__(self, size: int) -> None:
        self.size = size

    def _fit(self, X: Floats, seed: int) -> None:
        n, d = X.shape
        check_range(f"additive{self.size}B", self.size, d // 2, "bytes", f"vectors of {d} dimensions")
        hybrid = Hybrid(self.size).fit(X, seed)
        start = hybrid.entries
        if n > TRAINING_VECTORS:
            warnings.warn(
                f"additive{self.size}B learns from {TRAINING_VECTORS:,} of the {n:,} vectors, drawn "
                "at random with the seed.",
                VecsmithWarning,
                stacklevel=2,
            )
        X = X[sample_rows(n, TRAINING_VECTORS, seed)]
        self.mean_, centered, groups = hybrid.mean_, X - hybrid.mean_, hybrid.groups(X)
        self.entries_ = _updated_entries(start, groups, centered)
        power = max(float(np.vdot(centered, centered)), float(np.finfo(np.float32).tiny))
        with losses(f"additive{self.size}B", ITERATIONS) as report:
            for _ in range(ITERATIONS):
                groups = _descend(centered, self.entries_, groups, SWEEPS)
                self.entries_ = _updated_entries(start, groups, centered)
                summed = _summed(self.entries_, groups)
                report(float(((centered - summed) ** 2).sum()) / power)
        self.unshrink_ = unshrinking(summed, centered)

    @property
    def n_groups(self) -> int:
        return 2 * self.size

    def groups(self, X: Floats) -> Codes:
        nothing = np.full((len(X), self.n_groups), NO_ENTRY, np.uint8)
        return _descend(X - self.mean_, self.entries_, nothing, ENCODING_SWEEPS)

    def sums(self, codes: Codes) -> Floats:
        return self.mean_ + _summed(self.entries_, self.groups_of(codes)) @ self.unshrink_

    @property
    def codebooks(self) -> Floats:
        return np.broadcast_to(np.eye(ENTRIES, dtype=np.float32), (self.n_groups, ENTRIES, ENTRIES))

    def project_queries(self, Q: Floats) -> tuple[Floats, Floats]:
        """Return the inner products with all entries (n, 16 · G), and ⟨q, μ⟩ (n,)."""
        projected = Q @ self.unshrink_ @ self.entries_.reshape(-1, Q.shape[1]).T
        return np.asarray(projected, dtype=np.float32), np.asarray(Q @ self.mean_, dtype=np.float32)


def _one_hot(groups: Codes) -> Floats:
    """Return the one-hot encoding (n, 16 · G) of entry numbers (n, G)."""
    chosen = np.equal(groups[:, :, None], np.arange(ENTRIES, dtype=np.uint8))
    return chosen.reshape(len(groups), ENTRIES * groups.shape[1]).astype(np.float32)


def _summed(entries: Floats, groups: Codes) -> Floats:
    return _one_hot(groups) @ entries.reshape(-1, entries.shape[2])


def _updated_entries(start: Floats, groups: Codes, X: Floats) -> Floats:
    """Return the C of least ‖X − Σ_g C_g[code_g]‖² + `RIDGE` · ‖C − start‖²."""
    chosen = _one_hot(groups)
    gram = chosen.T @ chosen + RIDGE * np.eye(chosen.shape[1], dtype=np.float32)
    move = np.linalg.solve(gram, chosen.T @ (X - _summed(start, groups)))
    return start + move.astype(np.float32).reshape(start.shape)


def _descend(X: Floats, entries: Floats, groups: Codes, sweeps: int) -> Codes:
    """Minimize ‖x − Σ_g C_g[code_g]‖² of each vector by coordinate descent over its groups.

    Groups are updated in blocks. Within a block, only the inner products of entries and residual are updated; the
    residual itself is updated once per block, by one matrix product.
    """
    result = groups.copy()
    for first in range(0, len(X), CACHE_BLOCK_ROWS):
        codes = result[first : first + CACHE_BLOCK_ROWS]
        residual = X[first : first + CACHE_BLOCK_ROWS] - _summed(entries, codes)
        for _ in range(sweeps):
            for start in range(0, len(entries), BLOCK_GROUPS):
                block = slice(start, start + BLOCK_GROUPS)
                _descend_block(residual, entries[block], codes[:, block])
    return result


def _descend_block(residual: Floats, entries: Floats, codes: Codes) -> None:
    flat = entries.reshape(-1, entries.shape[2])
    gram = flat @ flat.T
    halves = np.diagonal(gram) / 2
    # the last row is for groups without an entry
    gram = np.vstack([gram, np.zeros_like(halves)])
    field = residual @ flat.T
    before = codes.copy()
    for group in range(len(entries)):
        own = slice(ENTRIES * group, ENTRIES * (group + 1))
        current = np.where(codes[:, group] == NO_ENTRY, -1, ENTRIES * group + codes[:, group].astype(np.int64))
        # relative to the residual without this group's entry
        scores = field[:, own] + gram[current, own] - halves[own]
        codes[:, group] = scores.argmax(axis=1)
        chosen = ENTRIES * group + codes[:, group].astype(np.int64)
        changed = np.flatnonzero(chosen != current)
        field[changed] -= gram[chosen[changed]] - gram[current[changed]]
    changed = np.flatnonzero((codes != before).any(axis=1))
    residual[changed] += (_one_hot(before[changed]) - _one_hot(codes[changed])) @ flat
