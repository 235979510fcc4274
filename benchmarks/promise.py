"""Calibrate the intervals of `vecsmith fit auto`, and measure their coverage: benchmarks/results/promise.md.

    python benchmarks/promise_tasks.py DATA DEBIAN MINILM MADE
    python benchmarks/promise.py DATA MADE CACHE

DATA contains the BEIR folders scifact, cranfield and hotpotqa-2k with ready vectors. The folder CACHE keeps trials;
delete it after a change of codecs or tasks. Copy the constants from the results to
`vecsmith.advise.retention_interval`.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from promise_counts import Trial, report

from vecsmith.advise.prediction import PseudoQueries
from vecsmith.embeddings import normalize
from vecsmith.encoders import embed_task
from vecsmith.evaluation import DEPTH, evaluate
from vecsmith.evaluation.folds import Encoded, encode_corpus
from vecsmith.index import Index, Scoring
from vecsmith.progress import track
from vecsmith.report import findings_markdown
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

    def measured(self, encoded: Encoded, scoring: Scoring) -> NDArray[np.float64]:
        """Return nDCG@10 of every query."""
        identical = self.task.ignore_identical_ids
        scores, rows = Index.from_partitions(encoded.parts, scoring).search(self.queries, DEPTH + identical)
        asked = set(self.query_ids)
        judged = {query: gains for query, gains in self.task.judgements(self.split).items() if query in asked}
        return evaluate(scores, rows, self.query_ids, self.document_ids, judged, identical).ndcg_at_10

    @cached_property
    def pseudo(self) -> PseudoQueries:
        """Pseudo-queries of the predictions."""
        return PseudoQueries(self.documents)

    def trials(self, cache: Path) -> Iterator[Trial]:
        """Yield a trial per codec, from the cache where there is one."""
        reference = self._kept(cache, "float32", "asymmetric")[1]
        for spec, scoring in specs(self.documents.shape[1]):
            loss, kept = self._kept(cache, spec, scoring)
            yield Trial(self.origin, self.name, self.encoder, spec, scoring, loss, kept, reference)

    def _kept(self, cache: Path, spec: str, scoring: Scoring) -> tuple[float, NDArray[np.float64]]:
        path = cache / f"{self.name}@{self.encoder}@{spec}@{scoring}.npz"
        if not path.exists():
            encoded = encode_corpus(spec, self.documents)
            path.parent.mkdir(parents=True, exist_ok=True)
            np.savez(path, loss=self.pseudo.loss(encoded, scoring), kept=self.measured(encoded, scoring))
        with np.load(path) as found:
            return float(found["loss"]), found["kept"].astype(np.float64)


def specs(d: int) -> Iterator[tuple[str, Scoring]]:
    """Yield codecs of the kinds and sizes that `fit auto` tries, with their scoring."""
    for spec in ("int8", "int4", "levels4", "binary", f"binary-autoencoder{d // 8}B"):
        yield spec, "asymmetric"
    for spec in (f"pca{d // 2},int8", f"pca{d // 4},int8", f"pca{d // 4},int4", f"pca{d // 8},int8"):
        yield spec, "asymmetric"
    for size in (d // 4, d // 8, d // 12, d // 16, d // 32):
        yield f"trellis{size}B", "asymmetric"
        yield f"hybrid{size}B", "asymmetric"
    for spec in ("binary", f"itq{d // 8}B", f"binary-autoencoder{d // 8}B"):
        yield spec, "symmetric"


def cases(data: Path, made: Path) -> Iterator[Case]:
    """Yield every case."""
    for name, origin in MADE.items():
        for encoder in ("wordllama", "minilm"):
            yield case(origin, name, encoder, load_task(str(made / name)), f"vectors:{encoder}", "test")
    yield case("pydocs", "pydocs", "wordllama", load_task("pydocs"), "static", "train+dev+test")
    for encoder in ENCODERS:
        for name, split in (("cranfield", "test"), ("scifact", "train+test")):
            yield case(name, name, encoder, load_task(str(data / name)), f"vectors:{encoder}", split)
        task = load_task(str(data / "hotpotqa-2k"))
        whole = case("hotpotqa", "hotpotqa-2k", encoder, task, f"vectors:{encoder}", "train+test")
        yield whole
        yield from parts(whole)


def case(origin: str, name: str, encoder: str, task: Task, spec: str, split: str) -> Case:
    """Return a case with all judged queries of a split."""
    corpus, queries = embed_task(task, spec)
    judged = task.judgements(split)
    rows = [row for row, id_ in enumerate(queries.ids) if id_ in judged]
    ids = [queries.ids[row] for row in rows]
    vectors = [normalize(np.asarray(each.vectors[:], np.float32)) for each in (corpus, queries)]
    return Case(origin, name, encoder, task, split, vectors[0], vectors[1][rows], ids, list(corpus.ids))


def parts(whole: Case) -> Iterator[Case]:
    """Yield cases with disjoint questions, whose corpora contain their relevant documents and some others."""
    rng = np.random.default_rng(1)
    order, judged = rng.permutation(len(whole.query_ids)), whole.task.judgements(whole.split)
    row_of = {id_: row for row, id_ in enumerate(whole.document_ids)}
    for part, others in PARTS.items():
        mine = np.sort(order[600 * part : 600 * (part + 1)])
        asked = [whole.query_ids[row] for row in mine]
        relevant = {row_of[document] for query in asked for document in judged[query]}
        rows = sorted(relevant | set(rng.permutation(len(row_of))[:others].tolist()))
        yield Case(
            whole.origin,
            f"hotpotqa-{part}",
            whole.encoder,
            whole.task,
            whole.split,
            whole.documents[rows],
            whole.queries[mine],
            asked,
            [whole.document_ids[row] for row in rows],
        )


def main(data: str, made: str, cache: str) -> None:
    """Measure every codec on every case, and write the tables."""
    every = list(cases(Path(data), Path(made)))
    trials = [trial for each in track(every, "Cases", len(every)) for trial in each.trials(Path(cache))]
    RESULTS.write_text(findings_markdown(report(trials)), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
