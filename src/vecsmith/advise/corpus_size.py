"""How the loss of a codec grows with the size of the corpus, fitted on the documents at hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, hypot, log
from re import fullmatch

import numpy as np

from vecsmith.advise.retention_interval import LEAST_LOSS, Z
from vecsmith.array_types import Doubles
from vecsmith.errors import VecsmithError
from vecsmith.evaluation.expected_gain import NDCG_DEPTH

SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)
"""Shares of the documents among which the loss is estimated."""
DEPTH = 300
"""Documents per ranking: fewer than ten of them are kept with probability 0.01 at the smallest share."""
MIN_DOCUMENTS = round(4 * NDCG_DEPTH / SHARES[0])
"""Minimum number of documents, so that the smallest share has 40."""
RESAMPLES = 200
"""Bootstrap samples of the queries."""
LEAST_RETENTION = 1e-6
"""Lower bound of a retention, whose logarithm is taken."""
LEAST_VARIANCE = 1e-6
"""Lower bound of the variance of an exponent."""
UNITS = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "G": 10**9}


@dataclass(frozen=True)
class Forecast:
    """The retention of a codec among a number of documents, with its 90 % interval.

    Attributes
    ----------
    documents : int
        Number of documents of the corpus.
    retention : float
        nDCG@10 relative to float32.
    low, high : float
        90 % interval of the retention.
    """

    documents: int
    retention: float
    low: float
    high: float


@dataclass(frozen=True)
class LossGrowth:
    """Growth of a loss with the number n of documents: −log(retention) is proportional to n to the power of `exponent`.

    A small loss is proportional to the same power of n; a large loss stays below 1.

    Attributes
    ----------
    exponent : float
        The exponent.
    error : float
        Its standard deviation.
    """

    exponent: float
    error: float

    def forecast(self, known: Forecast, documents: int) -> Forecast:
        """Return the retention among more documents.

        The errors of the known loss and of the exponent are independent, so the squares of their half-widths add up.

        Parameters
        ----------
        known : Forecast
            Retention among the documents at hand.
        documents : int
            Number of documents to predict the retention for.
        """
        ratio = log(documents / known.documents)
        factor, spread = exp(self.exponent * ratio), Z * self.error * ratio
        low, loss, high = (-log(max(share, LEAST_RETENTION)) for share in (known.low, known.retention, known.high))
        # a codec that retains more than float32 on some queries does not gain from other documents
        grown = loss * factor if loss > 0 else loss
        more = hypot((low - loss) * factor, max(grown, 0) * (exp(spread) - 1))
        less = hypot((loss - high) * factor, max(grown, 0) * (1 - exp(-spread)))
        return Forecast(documents, exp(-grown), exp(-grown - more), exp(-grown + less))


@dataclass(frozen=True)
class GrowthCalibration:
    """Relation of the exponents of pseudo-queries to those of real queries, on tasks and models that were not seen.

    Attributes
    ----------
    intercept, slope : float
        The exponent of real queries is on average `intercept` + `slope` times that of pseudo-queries.
    error : float
        Half-width of the 90 % tolerance interval of the difference, divided by `Z`.
    """

    intercept: float
    slope: float
    error: float

    def growth(self, exponent: float, variance: float) -> LossGrowth:
        """Return the growth for an exponent of pseudo-queries and the variance of its sampling error."""
        return LossGrowth(self.intercept + self.slope * exponent, hypot(self.slope * variance**0.5, self.error))


CALIBRATED_GROWTH = GrowthCalibration(intercept=0.12, slope=0.35, error=0.16)
"""Calibrated by ``benchmarks/predictions.py``, which also counts how often the intervals hold."""


def fit_exponents(losses: Sequence[Doubles], seed: int = 0) -> tuple[Doubles, Doubles]:
    """Fit the exponents with which the losses of several codecs grow, and the variances of their sampling errors.

    The exponent of a codec is the slope of log(−log(retention)) over the logarithm of the number of documents. Its
    sampling error comes from a bootstrap over the queries. The exponents are then shrunk toward their mean, as in a
    random-effects meta-analysis (DerSimonian and Laird, 1986).

    Parameters
    ----------
    losses : sequence of ndarray of shape (n_shares, n_queries), float64
        Losses of each of m codecs for `SHARES` of the documents.
    seed : int
        Seed of the bootstrap.

    Returns
    -------
    exponents, variances : ndarray of shape (m,), float64
    """
    queries = losses[0].shape[1]
    counts = np.random.default_rng(seed).multinomial(queries, np.full(queries, 1 / queries), RESAMPLES)
    weights = np.vstack([np.ones(queries), counts]) / queries
    slopes = np.stack([_slopes(weights @ loss.T) for loss in losses])
    # the logarithm of a loss of almost zero has no meaningful slope
    significant = np.array([loss[-1].mean() >= LEAST_LOSS for loss in losses])
    return shrink(slopes[:, 0], np.where(significant, slopes[:, 1:].var(axis=1, ddof=1), np.inf))


def _slopes(losses: Doubles) -> Doubles:
    """Return the exponents (m,) of losses (m, n_shares), by least squares."""
    x = np.log(SHARES)
    x -= x.mean()
    retentions = np.clip(1 - losses, LEAST_RETENTION, 1 - LEAST_LOSS / 100)
    return np.asarray(np.log(-np.log(retentions)) @ x / (x @ x))


def shrink(exponents: Doubles, variances: Doubles) -> tuple[Doubles, Doubles]:
    """Shrink exponents toward their mean, and return them with the variances of their remaining errors.

    Parameters
    ----------
    exponents, variances : ndarray of shape (m,), float64
        Exponents and the variances of their sampling errors. An infinite variance gives the mean.

    Returns
    -------
    shrunk, variances : ndarray of shape (m,), float64
    """
    noise = np.maximum(variances, LEAST_VARIANCE)
    precision = 1 / noise
    known = np.count_nonzero(precision)
    if not known:
        return np.zeros_like(exponents), np.zeros_like(exponents)
    excess = precision @ (exponents - np.average(exponents, weights=precision)) ** 2 - (known - 1)
    scale = precision.sum() - precision @ precision / precision.sum()
    between = max(excess / scale, LEAST_VARIANCE) if known > 1 else LEAST_VARIANCE
    weights = 1 / (noise + between)
    mean, own = np.average(exponents, weights=weights), between * weights
    return own * exponents + (1 - own) * mean, (1 - own) * between + (1 - own) ** 2 / weights.sum()


def parse_size(text: str) -> int:
    """Return the number of documents for texts such as ``100M``, ``1.5M``, ``1e8`` and ``100_000_000``.

    Raises
    ------
    VecsmithError
        If the text is not a whole number of documents above zero.
    """
    matched = fullmatch(r"([\d_,]+(?:\.\d+)?(?:E\+?\d{1,2})?)([KMBG]?)", text.strip().upper())
    try:
        size = float(matched[1].replace("_", "").replace(",", "")) * UNITS[matched[2]] if matched else 0.0
    except ValueError:
        size = 0.0
    if size < 1 or size != round(size):
        raise VecsmithError(f"--corpus-size {text} is not a number of documents; give one such as 100M or 1e8.")
    return round(size)


def check_sizes(documents: int, corpus_size: int) -> None:
    """Refuse a corpus size that the growth of the loss cannot be fitted for.

    Raises
    ------
    VecsmithError
        If the corpus size is smaller than the corpus, or there are too few documents.
    """
    if corpus_size < documents:
        raise VecsmithError(
            f"--corpus-size {corpus_size:,} is smaller than the corpus, which has {documents:,} documents; give a "
            "larger number, or leave it out."
        )
    if documents < MIN_DOCUMENTS:
        raise VecsmithError(
            f"{documents:,} documents are too few to predict the retention of a larger corpus; give at least "
            f"{MIN_DOCUMENTS:,}, or leave out --corpus-size."
        )
