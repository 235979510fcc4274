"""Calibrate the intervals of `vecsmith fit auto`, and measure their coverage: benchmarks/results/promise.md.

    python benchmarks/promise_tasks.py DATA DEBIAN MINILM MADE
    python benchmarks/promise.py DATA MADE CACHE

DATA contains the BEIR folders scifact, cranfield and hotpotqa-2k with ready vectors. The folder CACHE keeps trials;
delete it after a change of codecs or tasks. Copy the constants from the results to
`vecsmith.advise.retention_interval`.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from math import inf, sqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vecsmith.advise.prediction import REDUCER_FACTOR, PseudoQueries
from vecsmith.advise.retention_interval import CALIBRATED, LEAST_LOSS, POWER, RetentionInterval, Z
from vecsmith.embeddings import normalize
from vecsmith.encoders import embed_task
from vecsmith.evaluation import DEPTH, evaluate
from vecsmith.evaluation.folds import encode_corpus
from vecsmith.index import Index, Scoring
from vecsmith.progress import track
from vecsmith.report import findings_markdown
from vecsmith.report.findings import Findings, Table
from vecsmith.tasks import Task, load_task

RESULTS = Path(__file__).parent / "results" / "promise.md"
ENCODERS = ("minilm", "wordllama", "potion", "mpnet")
MADE = {
    "foldoc": "foldoc",
    "pydocs-3k": "pydocs",
    "pydocs-packages": "pydocs",
    "wordnet": "wordnet",
    "wordnet-kinds": "wordnet",
    "cranfield-titles": "cranfield",
    "scifact-titles": "scifact",
}
"""Tasks of `promise_tasks.py`, and their origins: a task is left out with all others of its origin."""
PARTS = {0: 1000, 1: 4000, 2: 9000}
"""Parts of HotpotQA with 600 questions each: number of documents to draw besides the relevant ones."""
MAX_MISSED = 0.05
"""Share of the trials of every origin that a calibrated interval may miss on either side."""
SPREAD_QUANTILE = 0.75
"""Quantile over the trials of an origin of the standard deviation over queries."""
FACTORS = np.geomspace(1.05, 20, 300)
"""Candidates for `more` and `less`."""
SAMPLE_SIZES, SAMPLES = (43, 100, 300), 20
"""Numbers of queries that are sampled from a trial, and the number of samples."""
COVERAGE = (
    "Coverage of 90 % intervals whose constants were fitted to all other origins. N: the retention that N judged "
    "queries measured, all of a trial or a sample. Population: the retention of very many queries, for which the "
    "measured one stands (too strict, since it has a sampling error); in precise trials this error is small; within "
    "error: the interval may be missed by the sampling error (too lax). Width of the population's interval, and "
    "measured less predicted, are means in points"
)
REDUCERS = (
    f"Factor of the loss of codecs with reducers (in the code {REDUCER_FACTOR}) for which the median of measured over "
    "predicted loss equals that of trellis and hybrid codes"
)


@dataclass(frozen=True)
class Trial:
    """The predicted loss of a codec, and the nDCG@10 of every query with the codec and with float32."""

    origin: str
    task: str
    encoder: str
    codec: str
    scoring: str
    loss: float
    kept: NDArray[np.float64]
    reference: NDArray[np.float64]

    @cached_property
    def retention(self) -> float:
        """Measured retention."""
        return float(self.kept.mean() / self.reference.mean())

    @cached_property
    def spread(self) -> float:
        """Standard deviation of a single query's share in the retention, by the delta method."""
        return float(((self.kept - self.retention * self.reference) / self.reference.mean()).std(ddof=1))

    @property
    def error(self) -> float:
        """Half-width of the 90 % interval of the sampling error."""
        return Z * self.spread / sqrt(len(self.kept))

    def is_within(self, interval: RetentionInterval, queries: float, error: float = 0) -> bool:
        """Return whether the interval for a number of queries, widened by an error, holds the measured retention."""
        low, high = interval.bounds(self.loss, queries)
        return bool(low - error <= self.retention <= high + error)

    def share_within(self, interval: RetentionInterval, queries: int) -> float:
        """Return how often the interval holds the retention that a sample of queries, without replacement, measures."""
        low, high = interval.bounds(self.loss, queries)
        rng = np.random.default_rng(0)
        samples = [rng.permutation(len(self.kept))[:queries] for _ in range(SAMPLES)]
        found = np.array([self.kept[s].mean() / self.reference[s].mean() for s in samples if self.reference[s].any()])
        return float(np.mean((found >= low) & (found <= high)))

    def is_precise(self, interval: RetentionInterval) -> bool:
        """Return whether the sampling error is less than half of the interval's narrower side."""
        return bool(self.error < (interval.bounds(self.loss)[1] - 1 + self.loss) / 2)


KINDS: dict[str, Callable[[Trial], bool]] = {
    "int8, int4, levels4": lambda trial: trial.codec in ("int8", "int4", "levels4"),
    "trellis, hybrid": lambda trial: trial.codec.startswith(("trellis", "hybrid")),
    "pca": lambda trial: trial.codec.startswith("pca"),
    "binary, binary-autoencoder": lambda trial: trial.codec.startswith("binary") and trial.scoring == "asymmetric",
    "bits under Hamming distance": lambda trial: trial.scoring == "symmetric",
}


@dataclass(frozen=True)
class Case:
    """A task, or a part of it, embedded by one model."""

    origin: str
    name: str
    encoder: str
    task: Task
    split: str
    documents: NDArray[np.float32]
    queries: NDArray[np.float32]
    query_ids: list[str]
    document_ids: list[str]

    @cached_property
    def pseudo(self) -> PseudoQueries:
        """Pseudo-queries of the predictions."""
        return PseudoQueries(self.documents)

    def trials(self, cache: Path) -> Iterator[Trial]:
        """Yield a trial per codec, from the cache where there is one."""
        reference = self._measure(cache, "float32", "asymmetric")[1]
        for spec, scoring in specs(self.documents.shape[1]):
            loss, kept = self._measure(cache, spec, scoring)
            yield Trial(self.origin, self.name, self.encoder, spec, scoring, loss, kept, reference)

    def _measure(self, cache: Path, spec: str, scoring: Scoring) -> tuple[float, NDArray[np.float64]]:
        """Return the predicted loss of a codec, and nDCG@10 of every query."""
        path = cache / f"{self.name}@{self.encoder}@{spec}@{scoring}.npz"
        if not path.exists():
            encoded, identical = encode_corpus(spec, self.documents), self.task.ignore_identical_ids
            scores, rows = Index.from_partitions(encoded.parts, scoring).search(self.queries, DEPTH + identical)
            judged = self.task.judgements(self.split)
            asked = {query: judged[query] for query in judged if query in set(self.query_ids)}
            measured = evaluate(scores, rows, self.query_ids, self.document_ids, asked, identical).ndcg_at_10
            path.parent.mkdir(parents=True, exist_ok=True)
            np.savez(path, loss=self.pseudo.loss(encoded, scoring), kept=measured)
        with np.load(path) as found:
            return float(found["loss"]), found["kept"].astype(np.float64)


def specs(d: int) -> Iterator[tuple[str, Scoring]]:
    """Yield codecs of the kinds and sizes that `fit auto` tries, with their scoring."""
    codecs = ["int8", "int4", "levels4", "binary", f"binary-autoencoder{d // 8}B"]
    codecs += [f"pca{d // 2},int8", f"pca{d // 4},int8", f"pca{d // 4},int4", f"pca{d // 8},int8"]
    codecs += [f"{name}{d // part}B" for part in (4, 8, 12, 16, 32) for name in ("trellis", "hybrid")]
    yield from ((spec, "asymmetric") for spec in codecs)
    yield from ((spec, "symmetric") for spec in ("binary", f"itq{d // 8}B", f"binary-autoencoder{d // 8}B"))


def cases(data: Path, made: Path) -> Iterator[Case]:
    """Yield every case."""
    for name, origin in MADE.items():
        for encoder in ("wordllama", "minilm"):
            yield embedded_case(origin, name, encoder, load_task(str(made / name)), f"vectors:{encoder}", "test")
    yield embedded_case("pydocs", "pydocs", "wordllama", load_task("pydocs"), "static", "train+dev+test")
    for encoder in ENCODERS:
        for name, split in (("cranfield", "test"), ("scifact", "train+test"), ("hotpotqa-2k", "train+test")):
            origin = "hotpotqa" if name == "hotpotqa-2k" else name
            whole = embedded_case(origin, name, encoder, load_task(str(data / name)), f"vectors:{encoder}", split)
            yield whole
            if origin == "hotpotqa":
                yield from parts(whole)


def embedded_case(origin: str, name: str, encoder: str, task: Task, spec: str, split: str) -> Case:
    """Return a case with all judged queries of a split."""
    corpus, queries = embed_task(task, spec)
    judged = task.judgements(split)
    rows = [row for row, id_ in enumerate(queries.ids) if id_ in judged]
    ids = [queries.ids[row] for row in rows]
    documents, asked = (normalize(np.asarray(each.vectors[:], np.float32)) for each in (corpus, queries))
    return Case(origin, name, encoder, task, split, documents, asked[rows], ids, list(corpus.ids))


def parts(whole: Case) -> Iterator[Case]:
    """Yield cases with disjoint questions, whose corpora contain their relevant documents and some others."""
    rng = np.random.default_rng(1)
    order, judged = rng.permutation(len(whole.query_ids)), whole.task.judgements(whole.split)
    row_of = {id_: row for row, id_ in enumerate(whole.document_ids)}
    case = partial(Case, whole.origin, encoder=whole.encoder, task=whole.task, split=whole.split)
    for part, others in PARTS.items():
        mine = np.sort(order[600 * part : 600 * (part + 1)])
        asked = [whole.query_ids[row] for row in mine]
        relevant = {row_of[document] for query in asked for document in judged[query]}
        rows = sorted(relevant | set(rng.permutation(len(row_of))[:others].tolist()))
        ids = [whole.document_ids[row] for row in rows]
        yield case(
            name=f"hotpotqa-{part}",
            documents=whole.documents[rows],
            queries=whole.queries[mine],
            query_ids=asked,
            document_ids=ids,
        )


def calibrated(trials: Sequence[Trial]) -> RetentionInterval:
    """Return the narrowest intervals that hold for enough trials of every origin, on either side.

    They are to hold the retention of the population. The measured one differs from it by its sampling error, of which
    half is allowed for: that is the error of four times as many queries.
    """
    origins = [[trial for trial in trials if trial.origin == origin] for origin in {trial.origin for trial in trials}]
    per_query = max(
        float(np.quantile([trial.spread / max(trial.loss, LEAST_LOSS) ** POWER for trial in group], SPREAD_QUANTILE))
        for group in origins
    )

    def holds(factor: float, side: int) -> bool:
        interval = RetentionInterval(factor, factor, per_query)

        def missed(trial: Trial) -> bool:
            bound = interval.bounds(trial.loss, 4 * len(trial.kept))[side]
            return bool(trial.retention < bound if side == 0 else trial.retention > bound)

        return all(np.mean([missed(trial) for trial in group]) <= MAX_MISSED for group in origins)

    more, less = (next(float(factor) for factor in FACTORS if holds(factor, side)) for side in (0, 1))
    return RetentionInterval(more, less, per_query)


def report(trials: Sequence[Trial]) -> Findings:
    """Return the constants, and the coverage with constants fitted to all origins but the counted one."""

    def grouped(key: Callable[[Trial], str]) -> dict[str, list[Trial]]:
        return {name: [trial for trial in trials if key(trial) == name] for name in dict.fromkeys(map(key, trials))}

    by_origin = grouped(lambda trial: trial.origin)
    without = {origin: calibrated([trial for trial in trials if trial.origin != origin]) for origin in by_origin}
    intervals = {f"all but {origin}": interval for origin, interval in without.items()}
    intervals |= {"all": calibrated(trials), "in the code": CALIBRATED}
    constants = [
        [name, *(f"{number:.2f}" for number in (each.more, each.less, each.per_query))]
        for name, each in intervals.items()
    ]
    title = "Constants of the interval, by the origins that they are fitted to"
    tables = [Table("constants", title, ["fitted to", "more", "less", "per query"], constants)]
    by_kind = {kind: [trial for trial in trials if belongs(trial)] for kind, belongs in KINDS.items()}
    by_case = grouped(lambda trial: f"{trial.task}, {trial.encoder}")
    columns = ["", "trials", "N as measured", *(f"N = {count}" for count in SAMPLE_SIZES)]
    columns += ["population", "precise trials", "their population", "within error", "width", "measured − predicted"]
    for name, title, groups in (
        ("origins", COVERAGE, by_origin),
        ("kinds", "The same, by codec", by_kind),
        ("cases", "The same, by task and model", by_case),
    ):
        every = {**groups, "all": [trial for group in groups.values() for trial in group]}
        tables.append(Table(name, title, columns, [[key, *coverage(group, without)] for key, group in every.items()]))
    factors = [[origin, f"{reducer_factor(group):.1f}"] for origin, group in by_origin.items()]
    return Findings([*tables, Table("reducers", REDUCERS, ["origin", "factor"], factors)])


def coverage(trials: Sequence[Trial], without: dict[str, RetentionInterval]) -> list[str]:
    """Return the cells of a group of trials, counted with the interval that was fitted without their origin."""
    pairs = [(trial, without[trial.origin]) for trial in trials]
    precise = [trial.is_within(interval, inf) for trial, interval in pairs if trial.is_precise(interval)]
    widths = [np.subtract(*interval.bounds(trial.loss)[::-1]) for trial, interval in pairs]
    sampled = [[t.share_within(i, n) for t, i in pairs if len(t.kept) >= n] for n in SAMPLE_SIZES]
    return [
        str(len(trials)),
        share([trial.is_within(interval, len(trial.kept)) for trial, interval in pairs]),
        *(share(held) for held in sampled),
        share([trial.is_within(interval, inf) for trial, interval in pairs]),
        str(len(precise)),
        share(precise),
        share([trial.is_within(interval, inf, trial.error) for trial, interval in pairs]),
        f"{100 * np.mean(widths):.1f}",
        f"{100 * np.mean([trial.retention - 1 + trial.loss for trial in trials]):+.1f}",
    ]


def share(held: Sequence[float]) -> str:
    """Return a mean in percent; nothing where there are no values."""
    return f"{np.mean(held):.0%}" if held else ""


def reducer_factor(trials: Sequence[Trial]) -> float:
    """Return the factor of the loss of codecs with reducers, of trials whose loss exceeds the sampling error."""
    clear = [trial for trial in trials if 1 - trial.retention > 2 * trial.error]
    logs = {
        kind: np.median([np.log((1 - trial.retention) / trial.loss) for trial in clear if KINDS[kind](trial)])
        for kind in ("pca", "trellis, hybrid")
    }
    return float(REDUCER_FACTOR * np.exp(logs["pca"] - logs["trellis, hybrid"]))


def main(data: str, made: str, cache: str) -> None:
    """Measure every codec on every case, and write the tables."""
    every = list(cases(Path(data), Path(made)))
    trials = [trial for each in track(every, "Cases", len(every)) for trial in each.trials(Path(cache))]
    RESULTS.write_text(findings_markdown(report(trials)), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
