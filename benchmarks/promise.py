"""Calibrate the intervals of `vecsmith fit auto`, and measure how often they hold.

    python benchmarks/promise.py CACHE FOLDER … > TABLES.md

FOLDERs are BEIR folders with ready vectors. Those whose names agree up to the first hyphen, such as scifact and
scifact-titles, have one origin: their coverage is counted with constants fitted to the other origins. Subsets of a
large corpus are tasks of their own. Measurements are kept in CACHE; delete it after a change of codecs or tasks. Copy
the constants to `vecsmith.advise.retention_interval`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import NamedTuple

import numpy as np
import typer

from vecsmith.advise.prediction import PseudoQueries
from vecsmith.advise.retention_interval import CALIBRATED, LEAST_LOSS, POWER, RetentionInterval
from vecsmith.array_types import RowNumbers
from vecsmith.embeddings import EmbeddingSet
from vecsmith.encoders import embed_task
from vecsmith.evaluation.folds import encode_corpus
from vecsmith.evaluation.judged_queries import JudgedQueries
from vecsmith.index import Index, Scoring
from vecsmith.progress import track
from vecsmith.report import findings_markdown
from vecsmith.report.findings import Findings, Table
from vecsmith.tasks import Task, load_task

SPLIT = "train+test"
SUBSETS, SUBSET_QUERIES = (1000, 4000, 9000), 600
"""Documents that are drawn for a subset besides the relevant ones, and its queries; subsets share no query."""
MAX_MISSED = 0.05
"""Share of the trials of every origin that a calibrated interval may miss on either side."""
SPREAD_QUANTILE = 0.75
"""Quantile over the trials of an origin of the standard deviation over queries."""
FACTORS = np.geomspace(1.05, 20, 300)
"""Candidates for `more` and `less`."""


class Trial(NamedTuple):
    """The predicted loss and the measured retention of a codec.

    `spread` is the standard deviation of a single query's share in the retention, by the delta method.
    """

    origin: str
    case: str
    loss: float
    retention: float
    spread: float
    queries: int


def codecs(d: int) -> Iterator[tuple[str, Scoring]]:
    """Yield codecs of the kinds and sizes that `fit auto` tries, with their scoring."""
    specs = ["int8", "int4", "levels4", "binary", f"binary-autoencoder{d // 8}B"]
    specs += [f"pca{d // 2},int8", f"pca{d // 4},int8", f"pca{d // 4},int4", f"pca{d // 8},int8"]
    specs += [f"{name}{d // part}B" for part in (4, 8, 12, 16, 32) for name in ("trellis", "hybrid")]
    yield from ((spec, "asymmetric") for spec in specs)
    yield from ((spec, "symmetric") for spec in ("binary", f"itq{d // 8}B", f"binary-autoencoder{d // 8}B"))


def trials(folder: Path, encoder: str, cache: Path) -> Iterator[Trial]:
    """Yield a trial per codec, for a task and for subsets of a large corpus."""
    task = load_task(str(folder))
    embedded = embed_task(task, f"vectors:{encoder}")
    ids, qrels = embedded[0].ids, task.judgements(task.present(SPLIT))
    yield from measure(task, encoder, embedded, np.arange(len(ids)), cache)
    rng, row_of = np.random.default_rng(1), {id_: row for row, id_ in enumerate(ids)}
    order = rng.permutation(list(qrels)).tolist()
    for number, size in enumerate(SUBSETS if len(ids) > max(SUBSETS) else ()):
        judged = {query: qrels[query] for query in order[SUBSET_QUERIES * number :][:SUBSET_QUERIES]}
        relevant = [row_of[id_] for documents in judged.values() for id_ in documents]
        rows = np.unique([*relevant, *rng.permutation(len(ids))[:size]])
        part = replace(task, name=f"{task.name}-{size}", qrels={"test": judged})
        yield from measure(part, encoder, embedded, rows, cache)


def measure(
    task: Task, encoder: str, embedded: tuple[EmbeddingSet, EmbeddingSet], rows: RowNumbers, cache: Path
) -> Iterator[Trial]:
    """Yield a trial per codec on some rows of the corpus."""
    corpus, queries = embedded
    judged = JudgedQueries(task, task.present(SPLIT), queries.ids, [corpus.ids[row] for row in rows])
    D, Q = corpus.unit[rows], queries.unit[judged.rows]
    pseudo, found = PseudoQueries(D), []
    for spec, scoring in (("float32", "asymmetric"), *codecs(D.shape[1])):
        path = cache / f"{task.name}@{encoder}@{spec}@{scoring}.npz"
        if not path.exists():
            encoded = encode_corpus(spec, D)
            ndcg = judged.search(Index.from_partitions(encoded.parts, scoring), Q).ndcg_at_10
            np.savez(path, loss=pseudo.loss(encoded, scoring), ndcg=ndcg)
        with np.load(path) as saved:
            found.append((float(saved["loss"]), saved["ndcg"]))
    reference = found[0][1]
    for loss, ndcg in found[1:]:
        retention = ndcg.mean() / reference.mean()
        spread = ((ndcg - retention * reference) / reference.mean()).std(ddof=1)
        case = f"{task.name}, {encoder}"
        yield Trial(task.name.partition("-")[0], case, loss, float(retention), float(spread), len(ndcg))


def calibrated(trials: Sequence[Trial]) -> RetentionInterval:
    """Return the narrowest intervals that hold for enough trials of every origin, on either side.

    They are to hold the retention of the population. The measured one differs from it by its sampling error, of which
    half is allowed for: that is the error of four times as many queries.
    """
    loss, retention, spread, queries = np.array([trial[2:] for trial in trials]).T
    origins = np.array([trial.origin for trial in trials])
    groups = [origins == origin for origin in np.unique(origins)]
    scale = spread / np.maximum(loss, LEAST_LOSS) ** POWER
    per_query = max(float(np.quantile(scale[group], SPREAD_QUANTILE)) for group in groups)

    def missed(factor: float, side: int) -> float:
        bound = RetentionInterval(factor, factor, per_query).bounds(loss, 4 * queries)[side]
        beyond = retention > bound if side else retention < bound
        return max(float(beyond[group].mean()) for group in groups)

    more, less = (next(float(f) for f in FACTORS if missed(f, side) <= MAX_MISSED) for side in (0, 1))
    return RetentionInterval(more, less, per_query)


def report(trials: Sequence[Trial]) -> Findings:
    """Return the constants, and the coverage with constants fitted to all origins but the counted one."""
    names = dict.fromkeys(trial.origin for trial in trials)
    without = {name: calibrated([trial for trial in trials if trial.origin != name]) for name in names}
    intervals = {f"all but {name}": interval for name, interval in without.items()}
    intervals |= {"all": calibrated(trials), "in the code": CALIBRATED}
    constants = [[name, f"{i.more:.2f}", f"{i.less:.2f}", f"{i.per_query:.2f}"] for name, i in intervals.items()]
    title = "Constants of the interval, by the origins that they are fitted to"
    groups: dict[str, list[list[float]]] = {}
    for trial in trials:
        # intervals for the judged queries, and for very many queries
        low, high = without[trial.origin].bounds(trial.loss, np.array([trial.queries, inf]))
        covered = np.array((low <= trial.retention) & (trial.retention <= high))
        width = np.subtract(high, low)[1]
        for key in (trial.origin, trial.case, "all"):
            groups.setdefault(key, []).append([*covered, width, trial.retention - 1 + trial.loss])
    rows = []
    for key, group in groups.items():
        measured, population, width, error = np.mean(group, axis=0)
        shares = [f"{measured:.0%}", f"{population:.0%}", f"{100 * width:.1f}", f"{100 * error:+.1f}"]
        rows.append([key, str(len(group)), *shares])
    coverage = (
        "Coverage of 90 % intervals whose constants were fitted to all other origins: intervals for the judged queries "
        "and for very many queries, tested with the measured retention. Mean width of the latter, and mean of measured "
        "less predicted retention, in points"
    )
    columns = ["", "trials", "judged queries", "very many queries", "width", "measured − predicted"]
    heading = ["fitted to", "more", "less", "per query"]
    return Findings([Table("constants", title, heading, constants), Table("coverage", coverage, columns, rows)])


def main(cache: Path, folders: list[Path]) -> None:
    """Measure every codec on every task and model, and print the tables."""
    cache.mkdir(parents=True, exist_ok=True)
    cases = [(folder, vectors.name) for folder in folders for vectors in sorted(folder.glob("vectors/*"))]
    print(findings_markdown(report([t for case in track(cases, "Cases", len(cases)) for t in trials(*case, cache)])))


if __name__ == "__main__":
    typer.run(main)
