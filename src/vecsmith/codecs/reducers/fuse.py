"""Several models' vectors as one: unit blocks side by side, weighted by what each model adds."""

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from vecsmith.codecs.stages import Floats, Reducer
from vecsmith.embeddings import Moments, normalize
from vecsmith.errors import VecsmithError

PART = r"(?P<name>[^@:]+)(?:@(?P<width>\d+))?(?::(?P<weight>-?\d+(?:\.\d+)?))?"
POWER = 1 / 8
"""The exponent p of the weights λ⁻ᵖ of a block's components (docs/studies/fusion.md)."""
FLOOR, SPARSITY = 0.05, 5
"""What is added to a spectrum of mean 1: a little, and more where there are few vectors for the dimensions."""
GRID = (0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1, 1.5, 2)
"""Weights of a model's cosine, beside 1 for that of the first model, which are tried."""
SWEEPS = 2
"""How often the weight of every model is chosen anew, where there are more than two."""
GATE = 2
"""Standard errors by which a model must help, to get a weight."""
PSEUDO_QUERIES, DOCUMENTS = 1000, 20_000
"""Documents that are taken for queries, and those that are searched, at most."""
DEPTH = 10
"""Ranks that count, as in nDCG@10."""
TEMPERATURE = 0.4
"""Of a gain, in mean differences between a query's first and tenth score."""

Evaluate = Callable[[Sequence[float]], NDArray[np.float64]]


class Fuse(Reducer):
    """z = (w₁x₁/‖x₁‖, …, wₘxₘ/‖xₘ‖) with Σw² = 1, so that a score is the sum of the models' cosines times w².

    It takes vectors that lie side by side, as those of `vecsmith.embeddings.fuse`, or a sequence of `EmbeddingSet`. The
    blocks of a query must be of equal length, as they are there.

    Parameters
    ----------
    parts : str
        For every model, in the order of the blocks, a name, and perhaps ``@`` and its dimensions, which vectors that
        know their blocks do not need, and ``:`` and a weight, 1 by default.
    """

    usage = "fuse(A,B:W,…)"
    pattern = r"fuse\((?P<parts>[^()]*)\)"
    example = "fuse(a@24,b@16:0.7)"
    requires_fit = False
    summary = "several models' vectors as one: unit blocks side by side, times weights; comes first"

    def __init__(self, parts: str) -> None:
        found = [_model(part.strip(), f"fuse({parts})") for part in str(parts).split(",")]
        if len(found) < 2:
            raise VecsmithError(
                f"fuse({parts}) names one model; name two or more, such as fuse(minilm,static:0.7), "
                "or leave out the fusion."
            )
        self.names = [match["name"] for match in found]
        self.given_weights = [match["weight"] for match in found]
        self.said_widths = [int(match["width"] or 0) for match in found]
        self.widths = self.said_widths
        self.parts = ",".join(
            name + (f"@{width}" if width else "") + ("" if weight is None else f":{weight}")
            for name, width, weight in zip(self.names, self.said_widths, self.given_weights, strict=True)
        )
        self.spec = self.usage.replace("A,B:W,…", self.parts).replace("A,B,…", self.parts)
        if not any(float(weight or 1) for weight in self.given_weights):
            raise VecsmithError(f"fuse({parts}) gives every model weight 0; leave one a weight.")

    def take(self, blocks: Mapping[str, int]) -> None:
        """Learn which dimensions are whose; without blocks, they must stand in the spec.

        Raises
        ------
        VecsmithError
            If they are not known, or not as many as in the spec.
        """
        if not blocks and not all(self.said_widths):
            raise VecsmithError(
                f"fuse({self.parts}) does not know which dimensions are whose; give it an embedding set per model, "
                f"or write their dimensions, such as {self.names[0]}@384."
            )
        if blocks and len(blocks) != len(self.names):
            raise VecsmithError(
                f"fuse({self.parts}) is of {len(self.names)} models, but the vectors are of {len(blocks)} "
                f"({', '.join(blocks)}); give one embedding set per model, in that order."
            )
        widths = list(blocks.values()) or self.said_widths
        if any(said not in (0, width) for said, width in zip(self.said_widths, widths, strict=True)):
            found = " and ".join(map(str, widths))
            raise VecsmithError(f"fuse({self.parts}) does not suit vectors of {found} dimensions; mend the spec.")
        self.widths = widths

    def _fit(self, X: Floats, seed: int) -> None:
        if sum(self.widths) != X.shape[1]:
            raise VecsmithError(
                f"fuse({self.parts}) takes vectors of {sum(self.widths)} dimensions, but these have {X.shape[1]}; "
                "give them as many as its models have together."
            )

    @property
    def weights(self) -> Floats:
        """Weights (m,) of the blocks, whose squares, the weights of the cosines, add up to 1."""
        weights = np.array([1 if weight is None else float(weight) for weight in self.given_weights], np.float32)
        return np.asarray(weights / np.linalg.norm(weights), dtype=np.float32)

    @property
    def relative_weights(self) -> dict[str, float]:
        """Weights by the names in the spec, over the largest."""
        weights = self.weights / self.weights.max()
        return {name: round(float(weight), 3) for name, weight in zip(self.names, weights, strict=True)}

    @property
    def _slices(self) -> list[slice]:
        return [slice(*ends) for ends in pairwise(accumulate(self.widths, initial=0))]

    def blocks(self, X: Floats) -> list[Floats]:
        """Return every model's part of vectors (n, d), mapped by a symmetric matrix; here, the identity."""
        return [X[:, part] for part in self._slices]

    def transform(self, X: Floats) -> Floats:
        return np.hstack([w * normalize(block) for w, block in zip(self.weights, self.blocks(X), strict=True)])

    def inverse_transform(self, Z: Floats) -> Floats:
        scales = np.float32(len(self.names) ** 0.5) * self.weights
        return np.hstack([scale * block for scale, block in zip(scales, self.blocks(Z), strict=True)])

    def project_queries(self, Q: Floats) -> tuple[Floats, Floats]:
        # the inverse is linear and symmetric
        return self.inverse_transform(Q), np.zeros(len(Q), np.float32)


class FittedFuse(Fuse):
    """A fusion whose weights are chosen on pseudo-queries, after the components of every block are weighted.

    A component of second moment λ is weighted by (λ + c)⁻ᵖ, on both sides. A pseudo-query is a document with noise,
    drawn for every model by itself and spread as its documents are. A model is given the weight with which the pseudo-
    queries best find what the first model finds for the documents without noise: what it adds is that its noise is
    another. A model that does not help by two standard errors gets weight 0. So the first model should be the best.

    Parameters
    ----------
    parts : str
        As of `Fuse`, without weights.

    Attributes
    ----------
    weights_ : ndarray of shape (m,)
        w.
    components_ : ndarray of shape (d, widest block)
        The symmetric matrix of every block, in its rows; zeros beside those that are narrower.
    judged : callable or None
        Set before `fit`, chooses on judged queries instead: from the stage to the weights. `fit` drops it.
    """

    usage = "fuse(A,B,…):fit"
    pattern = r"fuse\((?P<parts>[^()]*)\):fit"
    example = "fuse(a@24,b@16):fit"
    requires_fit = True
    summary = "a fusion with fitted weights of components and models; a model that does not help gets 0"
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
            self.components_[part, :width] = _weighting(normalize(X[:, part]))
        self.weights_ = _unit(self.judged(self) if self.judged else self._choose(X, seed))
        self.judged = None

    def _choose(self, X: Floats, seed: int) -> Floats:
        rng = np.random.default_rng(seed)
        X = X[rng.permutation(len(X))[:DOCUMENTS]]
        rows = np.arange(min(len(X), PSEUDO_QUERIES))
        blocks = [normalize(block) for block in self.blocks(X)]
        wanted = _without_own(blocks[0][rows] @ blocks[0].T)
        found = [_without_own(normalize(block[rows] + _noise(block, len(rows), rng)) @ block.T) for block in blocks]
        return chosen(_gained(found, wanted), len(blocks))

    def verdict(self) -> str:
        """Say the weights, and which models do not help."""
        said = ", ".join(f"{name} {weight:g}" for name, weight in self.relative_weights.items())
        idle = [name for name, weight in self.relative_weights.items() if not weight]
        return f"Weights of the models: {said}" + (f"; {' and '.join(idle)} did not help and got 0" if idle else "")


def _model(part: str, fusion: str) -> re.Match[str]:
    """Return the name, width and weight that a part of a fusion gives."""
    match = re.fullmatch(PART, part)
    if not match or "=" in match["name"]:
        raise VecsmithError(f"{fusion} does not name its models; write such as fuse(minilm,static:0.7).")
    if float(match["weight"] or 1) < 0:
        raise VecsmithError(f"{fusion} gives {match['name']} the weight {match['weight']}; weights are 0 or more.")
    return match


def chosen(evaluate: Evaluate, models: int) -> Floats:
    """Return weights (m,) of the blocks by coordinate ascent, 1 for the first, 0 for those that do not help.

    Parameters
    ----------
    evaluate : callable
        From weights (m,) of the cosines to a measure for every query, (n_queries,).
    models : int
        m.
    """
    weights: list[float] = [1.0, *[0.0] * (models - 1)]
    for _ in range(1 if models == 2 else SWEEPS):
        for model in range(1, models):
            trials = [[*weights[:model], weight, *weights[model + 1 :]] for weight in GRID]
            measured = [evaluate(trial) for trial in trials]
            best = int(np.argmax([measure.mean() for measure in measured]))
            gains = measured[best] - measured[0]
            helps = gains.mean() > GATE * gains.std() / len(gains) ** 0.5
            weights = trials[best] if helps else trials[0]
    return np.sqrt(np.array(weights, np.float32))


def _weighting(X: Floats) -> Floats:
    """Return V(λ + c)⁻ᵖVᵀ (d, d), scaled so that vectors X (n, d) keep their mean length."""
    moments, V = np.linalg.eigh(Moments(center=0).add(X).products)
    relative = np.maximum(moments, 0) / max(moments.mean(), np.finfo(np.float64).tiny)
    matrix = (V * (relative + FLOOR + SPARSITY * X.shape[1] / len(X)) ** -POWER) @ V.T
    return np.asarray(matrix / np.linalg.norm(X @ matrix, axis=1).mean(), dtype=np.float32)


def _noise(X: Floats, n: int, rng: np.random.Generator) -> Floats:
    """Return noise (n, d) with the covariance of X and a mean square length of 1."""
    centered = X - X.mean(axis=0)
    noise = rng.standard_normal((n, len(X)), np.float32) @ centered
    return np.asarray(noise / max(np.sqrt((noise**2).sum(axis=1).mean()), 1e-12), dtype=np.float32)


def _without_own(scores: Floats) -> Floats:
    """Put the document that a query was made from last; query i is from document i."""
    np.fill_diagonal(scores, -np.inf)
    return scores


def _gained(found: Sequence[Floats], wanted: Floats) -> Evaluate:
    """Return what measures weights: the discounted gains of the first ten documents, over those that are wanted."""
    depth = min(DEPTH, wanted.shape[1] - 1)
    best = -np.sort(-wanted, axis=1)[:, :depth]
    temperature = TEMPERATURE * float((best[:, 0] - best[:, -1]).mean()) or 1.0
    discounts = 1 / np.log2(np.arange(depth) + 2)
    gains = np.exp((wanted - best[:, :1]) / temperature)
    ideal = np.exp((best - best[:, :1]) / temperature) @ discounts

    def evaluate(weights: Sequence[float]) -> NDArray[np.float64]:
        # with weight 0, the infinite score of a query's own document would be undefined
        scores = np.sum([weight * scores for weight, scores in zip(weights, found, strict=True) if weight], axis=0)
        top = np.argpartition(-scores, depth - 1, axis=1)[:, :depth]
        order = np.argsort(-np.take_along_axis(scores, top, axis=1), axis=1)
        ranked = np.take_along_axis(top, order, axis=1)
        return np.asarray(np.take_along_axis(gains, ranked, axis=1) @ discounts / ideal, dtype=np.float64)

    return evaluate


def _unit(weights: Floats) -> Floats:
    return np.asarray(weights / np.linalg.norm(weights), dtype=np.float32)
