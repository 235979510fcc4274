"""Fusion of the vectors of several models: weighted unit vectors side by side."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from vecsmith.array_types import Doubles, Floats
from vecsmith.codecs.stages import CODE_BLOCK_ROWS, Reducer
from vecsmith.embeddings import Moments, normalize
from vecsmith.errors import VecsmithError

MODEL_PATTERN = r"(?P<name>[^@:]+)(?:@(?P<width>\d+))?(?::(?P<weight>-?\d+(?:\.\d+)?))?"
POWER = 1 / 8
"""The exponent p of the weights λ⁻ᵖ of a block's components (docs/studies/fusion.md)."""
RIDGE, RIDGE_PER_SPARSITY = 0.05, 5
"""The constant c of `FittedFuse` is `RIDGE` + `RIDGE_PER_SPARSITY` · d/n, for a spectrum of mean 1."""
WEIGHT_GRID = (0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1, 1.5, 2)
"""Candidate weights of a model's cosine, relative to 1 for the first model."""
ASCENT_SWEEPS = 2
"""Sweeps of coordinate ascent over the weights, for more than two models."""
MIN_STANDARD_ERRORS = 2
"""Gain in standard errors that a model needs to get a weight above 0."""
MAX_PSEUDO_QUERIES, MAX_DOCUMENTS = 1000, 20_000
"""Maximum number of pseudo-queries, and of documents that they search."""
QUERY_BLOCK = 128
"""Pseudo-queries that are ranked at a time, which bounds the memory."""
NDCG_DEPTH = 10
"""Ranks that count, as in nDCG@10."""
TEMPERATURE = 0.4
"""Temperature of gains, in units of the mean difference between the first and the tenth score of a query."""

Evaluate = Callable[[Sequence[float]], Doubles]


class Fuse(Reducer):
    """z = (w₁x₁/‖x₁‖, …, wₘxₘ/‖xₘ‖) with Σw² = 1, so that a score is the sum of the models' cosines, weighted by w².

    The input has the vectors of the models side by side, as `vecsmith.embeddings.fuse` returns them, in blocks of equal
    norm.

    Parameters
    ----------
    parts : str
        Models in the order of the blocks, separated by commas: a name, optionally ``@`` and the number of dimensions,
        which is needed only for plain arrays, and optionally ``:`` and a weight, 1 by default.
    """

    usage = "fuse(A,B:W,…)"
    pattern = r"fuse\((?P<parts>[^()]*)\)"
    example = "fuse(a@24,b@16:0.7)"
    requires_fit = False
    summary = "the vectors of several models side by side, normalized and weighted; must be the first stage"

    def __init__(self, parts: str) -> None:
        matches = [_model(part.strip(), f"fuse({parts})") for part in str(parts).split(",")]
        if len(matches) < 2:
            raise VecsmithError(
                f"fuse({parts}) names one model; name two or more, such as fuse(minilm,static:0.7), "
                "or leave out the fusion."
            )
        self.names = [match["name"] for match in matches]
        self.given_weights = [match["weight"] for match in matches]
        self.given_widths = [int(match["width"] or 0) for match in matches]
        self.widths = self.given_widths
        self.parts = ",".join(
            name + (f"@{width}" if width else "") + ("" if weight is None else f":{weight}")
            for name, width, weight in zip(self.names, self.given_widths, self.given_weights, strict=True)
        )
        self.spec = self.usage.replace("A,B:W,…", self.parts).replace("A,B,…", self.parts)
        if not any(float(weight or 1) for weight in self.given_weights):
            raise VecsmithError(f"fuse({parts}) gives every model weight 0; leave one a weight.")

    def set_widths(self, blocks: Mapping[str, int]) -> None:
        """Set the number of dimensions of each model from the blocks of the vectors, or from the spec.

        Raises
        ------
        VecsmithError
            If the dimensions are unknown, or differ from those in the spec.
        """
        if not blocks and not all(self.given_widths):
            raise VecsmithError(
                f"fuse({self.parts}) does not know the dimensions of its models; give it an embedding set per model, "
                f"or write their dimensions, such as {self.names[0]}@384."
            )
        if blocks and len(blocks) != len(self.names):
            raise VecsmithError(
                f"fuse({self.parts}) is of {len(self.names)} models, but the vectors are of {len(blocks)} "
                f"({', '.join(blocks)}); give one embedding set per model, in that order."
            )
        widths = list(blocks.values()) or self.given_widths
        if any(given not in (0, width) for given, width in zip(self.given_widths, widths, strict=True)):
            widths_text = " and ".join(map(str, widths))
            raise VecsmithError(f"fuse({self.parts}) does not suit vectors of {widths_text} dimensions; mend the spec.")
        self.widths = widths

    def _fit(self, X: Floats, seed: int) -> None:
        if sum(self.widths) != X.shape[1]:
            raise VecsmithError(
                f"fuse({self.parts}) takes vectors of {sum(self.widths)} dimensions, but these have {X.shape[1]}; "
                "give the vectors of all its models side by side."
            )

    @property
    def weights(self) -> Floats:
        """Weights (m,) of the blocks. Their squares, the weights of the cosines, add up to 1."""
        weights = np.array([1 if weight is None else float(weight) for weight in self.given_weights], np.float32)
        return np.asarray(weights / np.linalg.norm(weights), dtype=np.float32)

    @property
    def relative_weights(self) -> dict[str, float]:
        """Weights by the names in the spec, relative to the largest."""
        weights = self.weights / self.weights.max()
        return {name: round(float(weight), 3) for name, weight in zip(self.names, weights, strict=True)}

    @property
    def _slices(self) -> list[slice]:
        return [slice(*ends) for ends in pairwise(accumulate(self.widths, initial=0))]

    def blocks(self, X: Floats) -> list[Floats]:
        """Return the block of each model of vectors (n, d), multiplied by a symmetric matrix; here, the identity."""
        return [X[:, part] for part in self._slices]

    def transform(self, X: Floats) -> Floats:
        fused = np.empty(X.shape, np.float32)
        for start in range(0, len(X), CODE_BLOCK_ROWS):
            rows = slice(start, start + CODE_BLOCK_ROWS)
            for part, weight, block in zip(self._slices, self.weights, self.blocks(X[rows]), strict=True):
                fused[rows, part] = weight * normalize(block)
        return fused

    def inverse_transform(self, Z: Floats) -> Floats:
        scales = np.float32(len(self.names) ** 0.5) * self.weights
        return np.hstack([scale * block for scale, block in zip(scales, self.blocks(Z), strict=True)])

    def project_queries(self, Q: Floats) -> tuple[Floats, Floats]:
        # the inverse is a symmetric linear map
        return self.inverse_transform(Q), np.zeros(len(Q), np.float32)


class FittedFuse(Fuse):
    """A fusion with fitted weights of the principal components of each block and of the models.

    A component of second moment λ is weighted by (λ + c)⁻ᵖ, on both sides. The weights of the models are chosen on
    pseudo-queries: documents with noise, drawn independently for each model with the covariance of its documents. They
    maximize a discounted gain, where the scores of the first model without noise are the target; other models help
    because their errors are independent. A model that does not improve it by two standard errors gets weight 0. The
    first model should therefore be the best.

    Parameters
    ----------
    parts : str
        As for `Fuse`, without weights.

    Attributes
    ----------
    weights_ : ndarray of shape (m,)
        w.
    components_ : ndarray of shape (d, widest block)
        The symmetric matrix of each block, in the rows of the block, padded with zeros to the widest block.
    judged : callable or None
        If set before `fit`, it is called with the stage and returns the weights, for example chosen on judged queries.
        `fit` resets it to None.
    """

    usage = "fuse(A,B,…):fit"
    pattern = r"fuse\((?P<parts>[^()]*)\):fit"
    example = "fuse(a@24,b@16):fit"
    requires_fit = True
    summary = "a fusion with fitted weights of components and models; a model that does not help gets weight 0"
    state: ClassVar = {"weights_": ("*",), "components_": ("d", "*")}

    weights_: Floats
    components_: Floats

    def __init__(self, parts: str) -> None:
        super().__init__(parts)
        self.judged: Callable[[FittedFuse], Floats] | None = None
        if any(self.given_weights):
            raise VecsmithError(f"fuse({parts}):fit chooses the weights; leave out either them or :fit.")

    @property
    def weights(self) -> Floats:
        return self.weights_

    def blocks(self, X: Floats) -> list[Floats]:
        matrices = [self.components_[part, :width] for part, width in zip(self._slices, self.widths, strict=True)]
        return [np.asarray(block @ A, dtype=np.float32) for block, A in zip(super().blocks(X), matrices, strict=True)]

    def _fit(self, X: Floats, seed: int) -> None:
        super()._fit(X, seed)
        self.components_ = np.zeros((X.shape[1], max(self.widths)), np.float32)
        for part, width in zip(self._slices, self.widths, strict=True):
            self.components_[part, :width] = _weighting(X[:, part])
        self.weights_ = _unit(self.judged(self) if self.judged else self._choose(X, seed))
        self.judged = None

    def _choose(self, X: Floats, seed: int) -> Floats:
        rng = np.random.default_rng(seed)
        X = X[rng.permutation(len(X))[:MAX_DOCUMENTS]]
        rows = np.arange(min(len(X), MAX_PSEUDO_QUERIES))
        blocks = [normalize(block) for block in self.blocks(X)]
        targets = _without_own(blocks[0][rows] @ blocks[0].T)
        scores = [_without_own(normalize(block[rows] + _noise(block, len(rows), rng)) @ block.T) for block in blocks]
        return choose_weights(_discounted_gain(scores, targets), len(blocks))

    def verdict(self) -> str:
        """Return a sentence with the weights and the models that do not help."""
        weights = ", ".join(f"{name} {weight:g}" for name, weight in self.relative_weights.items())
        idle = [name for name, weight in self.relative_weights.items() if not weight]
        return f"Weights of the models: {weights}" + (f"; {' and '.join(idle)} did not help and got 0" if idle else "")


def _model(part: str, fusion: str) -> re.Match[str]:
    """Parse the name, width and weight of a model in a fusion."""
    match = re.fullmatch(MODEL_PATTERN, part)
    if not match or "=" in match["name"]:
        raise VecsmithError(f"{fusion} does not name its models; write, for example, fuse(minilm,static:0.7).")
    if float(match["weight"] or 1) < 0:
        raise VecsmithError(f"{fusion} gives {match['name']} the weight {match['weight']}; weights are 0 or more.")
    return match


def choose_weights(evaluate: Evaluate, models: int) -> Floats:
    """Choose the weights (m,) of the blocks by coordinate ascent: 1 for the first, 0 for models that do not help.

    Parameters
    ----------
    evaluate : callable
        From weights (m,) of the cosines to the quality for each query, (n_queries,).
    models : int
        Number of models, m.
    """
    weights: list[float] = [1.0, *[0.0] * (models - 1)]
    for _ in range(1 if models == 2 else ASCENT_SWEEPS):
        for model in range(1, models):
            trials = [[*weights[:model], weight, *weights[model + 1 :]] for weight in WEIGHT_GRID]
            measured = [evaluate(trial) for trial in trials]
            best = int(np.argmax([measure.mean() for measure in measured]))
            gains = measured[best] - measured[0]
            helps = gains.mean() > MIN_STANDARD_ERRORS * gains.std() / len(gains) ** 0.5
            weights = trials[best] if helps else trials[0]
    return np.sqrt(np.array(weights, np.float32))


def _weighting(X: Floats) -> Floats:
    """Return V(λ + c)⁻ᵖVᵀ (d, d) of unit vectors, scaled so that it preserves their mean norm.

    The vectors X (n, d) are normalized in blocks, which bound the memory.
    """

    def blocks() -> Iterator[Floats]:
        return (normalize(X[start : start + CODE_BLOCK_ROWS]) for start in range(0, len(X), CODE_BLOCK_ROWS))

    moments = Moments(center=0)
    for block in blocks():
        moments.add(block)
    eigenvalues, V = np.linalg.eigh(moments.products)
    relative = np.maximum(eigenvalues, 0) / max(eigenvalues.mean(), np.finfo(np.float64).tiny)
    matrix = (V * (relative + RIDGE + RIDGE_PER_SPARSITY * X.shape[1] / len(X)) ** -POWER) @ V.T
    norms = [np.linalg.norm(block @ matrix, axis=1) for block in blocks()]
    return np.asarray(matrix / np.concatenate(norms).mean(), dtype=np.float32)


def _noise(X: Floats, n: int, rng: np.random.Generator) -> Floats:
    """Return noise (n, d) with the covariance of `X` and a mean square norm of 1."""
    centered = X - X.mean(axis=0)
    noise = rng.standard_normal((n, len(X)), np.float32) @ centered
    return np.asarray(noise / max(np.sqrt((noise**2).sum(axis=1).mean()), 1e-12), dtype=np.float32)


def _without_own(scores: Floats) -> Floats:
    """Set the score of query i for document i, from which it was made, to −∞, in place."""
    np.fill_diagonal(scores, -np.inf)
    return scores


def _discounted_gain(scores: Sequence[Floats], targets: Floats) -> Evaluate:
    """Return a function that measures weights by the discounted gain of the first ten documents over the ideal one.

    Parameters
    ----------
    scores : sequence of ndarray of shape (n_queries, n_documents)
        Scores of each model.
    targets : ndarray of shape (n_queries, n_documents)
        Target scores, whose exponentials are the gains.
    """
    depth = min(NDCG_DEPTH, targets.shape[1] - 1)
    best = -np.sort(-targets, axis=1)[:, :depth]
    temperature = TEMPERATURE * float((best[:, 0] - best[:, -1]).mean()) or 1.0
    discounts = 1 / np.log2(np.arange(depth) + 2)
    gains = np.exp((targets - best[:, :1]) / temperature)
    ideal = np.exp((best - best[:, :1]) / temperature) @ discounts

    def ranked(weights: Sequence[float], rows: slice) -> NDArray[np.int64]:
        # a model of weight 0 is left out, because 0 · −∞ is undefined
        fused = np.sum([weight * each[rows] for weight, each in zip(weights, scores, strict=True) if weight], axis=0)
        top = np.argpartition(-fused, depth - 1, axis=1)[:, :depth]
        order = np.argsort(-np.take_along_axis(fused, top, axis=1), axis=1)
        return np.take_along_axis(top, order, axis=1)

    def evaluate(weights: Sequence[float]) -> Doubles:
        blocks = [slice(start, start + QUERY_BLOCK) for start in range(0, len(gains), QUERY_BLOCK)]
        first = np.concatenate([ranked(weights, rows) for rows in blocks])
        return np.asarray(np.take_along_axis(gains, first, axis=1) @ discounts / ideal, dtype=np.float64)

    return evaluate


def _unit(weights: Floats) -> Floats:
    return np.asarray(weights / np.linalg.norm(weights), dtype=np.float32)
