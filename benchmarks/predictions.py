"""Calibrate the intervals of `vecsmith fit auto`, and measure how often they hold.

    python benchmarks/predictions.py CACHE FOLDER …

FOLDERs are BEIR folders with ready vectors, such as `benchmarks/prediction_tasks.py` writes. Those whose names agree up
to the first hyphen, such as scifact and scifact-titles, have one origin. Predictions are made from shares of each
corpus, and tested on the whole corpus. The constants of a test come from trials of other origins and other models.
Measurements are kept in CACHE; delete it after a change of codecs or tasks. Copy the constants to
`vecsmith.advise.retention_interval` and `vecsmith.advise.corpus_size`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import exp, inf, log, sqrt
from pathlib import Path
from re import split
from typing import Any, NamedTuple

import numpy as np
import typer
from scipy.stats import binom, norm, t

from vecsmith.advise.corpus_size import (
    CALIBRATED_GROWTH,
    DEPTH,
    MIN_DOCUMENTS,
    SHARES,
    Forecast,
    GrowthCalibration,
    fit_exponents,
)
from vecsmith.advise.prediction import predicted_loss
from vecsmith.advise.pseudo_queries import MAX_DOCUMENTS, PseudoQueries
from vecsmith.advise.retention_interval import CALIBRATED, LEAST_LOSS, POWER, RetentionInterval, Z
from vecsmith.array_types import Doubles, RowNumbers
from vecsmith.codecs import Codec
from vecsmith.encoders import embed_task
from vecsmith.evaluation.folds import Encoded, encode_corpus
from vecsmith.index import Index, Scoring
from vecsmith.progress import track
from vecsmith.report import findings_markdown
from vecsmith.report.findings import Findings, Table
from vecsmith.tasks import load_task

SPLIT = "train+dev+test"
KNOWN = (1.0, 1 / 2, 1 / 4, 1 / 8, 1 / 16)
"""Shares of a corpus that predictions are made from; 1/2 only of small ones."""
MAX_QUERIES = 1000
SPREAD_QUANTILE = 0.75
"""Quantile over the trials of an origin of the standard deviation over queries."""
DISCOUNTS = 1 / np.log2(np.arange(10) + 2)


class Trial(NamedTuple):
    """A prediction for a codec from a share of a corpus, and the retention measured on the whole corpus."""

    origin: str
    case: str
    encoder: str
    codec: str
    share: float
    known: int
    documents: int
    loss: float
    exponent: float
    variance: float
    retention: float
    spread: float
    queries: int
    true_exponent: float

    @property
    def error(self) -> float:
        """Standard error of the measured retention."""
        return self.spread / sqrt(self.queries)

    @property
    def is_precise(self) -> bool:
        """Whether the predicted loss is four times the standard error of the measured one.

        A condition on the measured loss would leave out the codecs that lose much less than predicted.
        """
        return self.loss > max(4 * self.error, 0.01)

    @property
    def ratio(self) -> float:
        """Logarithm of measured over predicted loss; a loss below its standard error has no meaningful logarithm."""
        return log(max(1 - self.retention, self.error) / self.loss)


class Constants(NamedTuple):
    """Constants of the interval and of the growth of the loss."""

    interval: RetentionInterval
    growth: GrowthCalibration

    def forecast(self, trial: Trial, queries: float = inf) -> Forecast:
        """Return the prediction for the whole corpus."""
        low, high = self.interval.bounds(trial.loss, queries)
        known = Forecast(trial.known, 1 - trial.loss, float(low), float(high))
        return self.growth.growth(trial.exponent, trial.variance).forecast(known, trial.documents)


def codecs(d: int) -> Iterator[tuple[str, Scoring]]:
    """Yield codecs of the kinds and sizes that `fit auto` tries, with their scoring."""
    specs = ["int8", "int4", "binary", f"pca{d // 4},int8"]
    specs += [f"trellis{d // part}B" for part in (4, 8, 16, 32)] + [f"hybrid{d // part}B" for part in (8, 16)]
    yield from ((spec, "asymmetric") for spec in specs)
    yield "binary", "symmetric"


def measure(path: Path, folder: Path, encoder: str) -> None:
    """Write the losses of pseudo-queries among shares of a corpus, and nDCG@10 of judged queries among such shares."""
    task = load_task(str(folder))
    corpus, queries = embed_task(task, f"vectors:{encoder}")
    X, judged = corpus.unit[:], task.judgements(task.present(SPLIT))
    rows = np.array([row for row, id_ in enumerate(queries.ids) if id_ in judged])
    rows = rows[np.sort(np.random.default_rng(0).permutation(len(rows))[:MAX_QUERIES])]
    names, Q, ids = [queries.ids[row] for row in rows], queries.unit[rows], list(corpus.ids)
    best = [sorted(judged[name].values(), reverse=True)[:10] for name in names]
    ideal = np.array([np.dot(gains, DISCOUNTS[: len(gains)]) for gains in best])
    row_of = {id_: row for row, id_ in enumerate(ids)}
    relevant = [{row_of[id_]: gain for id_, gain in judged[name].items() if id_ in row_of} for name in names]
    own = [row_of.get(name) if task.ignore_identical_ids else None for name in names]

    def ndcg(encoded: Encoded, scoring: Scoring) -> Doubles:
        ranked = Index.from_partitions(encoded.parts, scoring, ids=ids).search(Q, DEPTH + 1)[1]
        found = [
            [gains.get(row, 0) for row in ranking if row != itself][:DEPTH]
            for gains, ranking, itself in zip(relevant, ranked.tolist(), own, strict=True)
        ]
        return np.asarray(thinned_gains(np.array(found, float)) / ideal)

    known, order = [], np.random.default_rng(1).permutation(len(X))
    found: dict[str, Any] = {"documents": len(X), "float32": ndcg(encode_corpus("float32", X), "asymmetric")}
    for share in KNOWN:
        Y = X[np.sort(order[: round(share * len(X))])]
        is_tried = MIN_DOCUMENTS <= len(Y) <= MAX_DOCUMENTS and (share != 1 / 2 or len(X) < 4 * MIN_DOCUMENTS)
        known += [share] if is_tried else []
        pseudo = PseudoQueries(Y, depth=DEPTH) if is_tried else None
        for spec, scoring in codecs(X.shape[1]) if is_tried or share == 1 else ():
            encoded = encode_corpus(spec, Y)
            if share == 1:
                found[f"{spec}|{scoring}"] = ndcg(encoded, scoring)
            if pseudo:
                found[f"{share}|{spec}|{scoring}"] = pseudo.losses(encoded, scoring, SHARES).astype(np.float32)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **found, known=known)


def thinned_gains(gains: Doubles) -> Doubles:
    """Return the expected discounted gains (n_shares, n_queries) of rankings with gains (n_queries, depth).

    Relevant documents are kept, and the others with the probability of each of `SHARES`.
    """
    relevant, depth = gains > 0, np.arange(10)
    above: RowNumbers = np.cumsum(relevant, axis=1) - relevant
    others, sums = np.arange(gains.shape[1]) - above, []
    for share in SHARES:
        kept = binom.pmf(depth, np.arange(gains.shape[1])[:, None], share)
        discounts = np.array([kept[:, : 10 - rank] @ DISCOUNTS[rank:] for rank in depth])
        sums.append((np.where(above < 10, discounts[np.minimum(above, 9), others], 0) * gains).sum(axis=1))
    return np.array(sums)


def trials(path: Path) -> Iterator[Trial]:
    """Yield the trials of a task and a model from their measurements."""
    task, _, encoder = path.stem.partition("@")
    with np.load(path) as saved:
        found = dict(saved)
    n, reference = int(found["documents"]), found["float32"]
    names = [name for name in found if name.count("|") == 1]
    for share in found["known"].tolist():
        losses = [found[f"{share}|{name}"] for name in names]
        for name, loss, exponent, variance in zip(names, losses, *fit_exponents(losses), strict=True):
            ndcg = found[name]
            retentions = ndcg.mean(axis=1) / reference.mean(axis=1)
            spread = ((ndcg[-1] - retentions[-1] * reference[-1]) / reference[-1].mean()).std(ddof=1)
            spec = name.partition("|")[0]
            predicted = max(predicted_loss(loss[-1].astype(float), Codec(spec)), 0)
            hazard = -np.log(np.minimum(retentions, 1 - LEAST_LOSS))
            growth = log(hazard[-1] / hazard[SHARES.index(share)]) / log(1 / share) if share < 1 else 0.0
            group = (task.partition("-")[0], f"{task}, {encoder}", encoder, spec, share, round(share * n), n)
            truth = (float(retentions[-1]), float(spread), ndcg.shape[1], growth)
            yield Trial(*group, predicted, float(exponent), float(variance), *truth)


def calibrated(trials: Sequence[Trial]) -> Constants:
    """Return the constants for a new origin of texts and a new model."""
    whole = [trial for trial in trials if trial.share == 1]
    by_origin = {
        origin: [each for each in whole if each.origin == origin] for origin in {each.origin for each in whole}
    }
    spreads = [[each.spread / max(each.loss, LEAST_LOSS) ** POWER for each in group] for group in by_origin.values()]
    per_query = max(float(np.quantile(group, SPREAD_QUANTILE)) for group in spreads)
    known = [trial for trial in whole if trial.is_precise]
    mean, width = tolerance(known, lambda trial: trial.ratio)
    parts = [each for each in trials if each.share < 1 and each.is_precise and 1 - each.retention > 4 * each.error]
    slope = np.polyfit([trial.exponent for trial in parts], [trial.true_exponent for trial in parts], 1)[0]
    intercept, spread = tolerance(parts, lambda trial: trial.true_exponent - slope * trial.exponent)
    interval = RetentionInterval(exp(width + mean), exp(width - mean), per_query)
    return Constants(interval, GrowthCalibration(intercept, float(slope), spread / Z))


def tolerance(trials: Sequence[Trial], value: Callable[[Trial], float]) -> tuple[float, float]:
    """Return the mean of a value, and half of the width of its tolerance interval.

    In 90 % of new cases of new origins, the interval contains at least 90 % of the trials. The means of the origins
    differ, so do those of the cases of one origin, and so do the values of one case. The means of few origins have
    Student's t distribution.
    """
    means, variances = dict[str, list[float]](), []
    for case in {trial.case for trial in trials}:
        values = [value(trial) for trial in trials if trial.case == case]
        origin = next(trial.origin for trial in trials if trial.case == case)
        means.setdefault(origin, []).append(float(np.mean(values)))
        variances.append(np.var(values))
    origins = np.array([np.mean(group) for group in means.values()])
    cases = np.mean([np.var(group, ddof=1) for group in means.values() if len(group) > 1])
    share = np.mean([1 / len(group) for group in means.values()])
    between = max(origins.var(ddof=1) - cases * share, 0) + cases + origins.var(ddof=1) / len(origins)
    # an interval whose center is off misses values on one side only
    half = t.ppf(0.95, len(origins) - 1) * np.sqrt(between) + norm.ppf(0.9) * np.sqrt(np.mean(variances))
    return float(origins.mean()), float(half)


def report(trials: Sequence[Trial]) -> dict[str, Findings]:
    """Return the tables of each result: the constants, and the coverage with constants of other origins and models."""
    without = {
        key: calibrated([each for each in trials if each.origin != key[0] and each.encoder != key[1]])
        for key in {(trial.origin, trial.encoder) for trial in trials}
    }
    fitted = {"all": calibrated(trials), "in the code": Constants(CALIBRATED, CALIBRATED_GROWTH)}
    heading = ["fitted to", "more", "less", "per query", "intercept", "slope", "error"]
    constants = [[name, *(f"{number:.2f}" for number in values(each))] for name, each in fitted.items()]
    return {
        name: Findings(
            [
                Table("constants", "Constants", heading, constants),
                *coverage([trial for trial in trials if (trial.share == 1) == whole], without),
            ]
        )
        for name, whole in (("promise", True), ("corpus-size", False))
    }


def coverage(trials: Sequence[Trial], without: Mapping[tuple[str, str], Constants]) -> Iterator[Table]:
    """Yield tables of the coverage by kinds of trials, with the constants for the origin and the model of each."""
    held = [(trial, tested(trial, without[trial.origin, trial.encoder])) for trial in trials]
    kinds: dict[str, Callable[[Trial], str]] = {
        "share of the corpus": lambda trial: f"{trial.share:g}",
        "origin": lambda trial: trial.origin,
        "model": lambda trial: trial.encoder,
        "codec": lambda trial: split(r"\d", trial.codec)[0],
        "task and model": lambda trial: trial.case,
    }
    columns = ["trials", "judged queries", "very many queries", "width", "measured − predicted"]
    for title, kind in kinds.items():
        groups: dict[str, list[list[float]]] = {"all": []}
        for trial, numbers in sorted(held, key=lambda pair: kind(pair[0])):
            groups.setdefault(kind(trial), []).append(numbers)
            groups["all"].append(numbers)
        rows = [[group, str(len(found)), *percent(np.mean(found, axis=0))] for group, found in groups.items()]
        yield Table(title, COVERAGE, [title, *columns], rows)


COVERAGE = (
    "Coverage of 90 % intervals whose constants were fitted to all other origins and models, for the judged queries "
    "and for very many queries, both tested with the measured retention; width of the latter, and mean of measured "
    "less predicted retention, in points"
)


ABOUT = {
    "promise": "The retention in a corpus, predicted from all its documents. Seed 0, at most 1,000 queries.",
    "corpus-size": "The retention in a corpus, predicted from a part of its documents. Seed 0, at most 1,000 queries.",
}


def values(constants: Constants) -> tuple[float, ...]:
    """Return the numbers of constants."""
    interval, growth = constants
    return interval.more, interval.less, interval.per_query, growth.intercept, growth.slope, growth.error


def tested(trial: Trial, constants: Constants) -> list[float]:
    """Return whether the intervals contain the measured retention, the width, and the error of the prediction."""
    judged, many = constants.forecast(trial, trial.queries), constants.forecast(trial)
    held = [float(each.low <= trial.retention <= each.high) for each in (judged, many)]
    return [*held, many.high - many.low, trial.retention - many.retention]


def percent(means: Doubles) -> list[str]:
    """Return the cells of a row."""
    return [f"{means[0]:.0%}", f"{means[1]:.0%}", f"{100 * means[2]:.1f}", f"{100 * means[3]:+.1f}"]


def main(cache: Path, folders: list[Path], out: Path = Path(__file__).parent / "results") -> None:
    """Measure every codec on every task and model, and write the tables."""
    cases = [(folder, vectors.name) for folder in folders for vectors in sorted(folder.glob("vectors/*"))]
    paths = []
    for folder, encoder in track(cases, "Cases", len(cases)):
        paths.append(cache / f"{folder.name}@{encoder}.npz")
        if not paths[-1].exists():
            measure(paths[-1], folder, encoder)
    every = [trial for path in paths for trial in trials(path)]
    for name, findings in report(every).items():
        tables = findings_markdown(findings).partition("\n")[2].strip()
        page = f"# {name}\n\nMade by `benchmarks/predictions.py`. {ABOUT[name]}\n\n{tables}\n"
        (out / f"{name}.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
