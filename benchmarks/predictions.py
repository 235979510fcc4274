"""Calibrate the intervals of `vecsmith fit auto`, and measure their coverage: results/promise.md and corpus-size.md.

    python benchmarks/promise_tasks.py DATA DEBIAN MINILM MADE
    python benchmarks/predictions.py DATA MADE CACHE [TASK …]

DATA contains the BEIR folders scifact, cranfield and hotpotqa-2k with ready vectors. The folder CACHE keeps
measurements; delete it after a change of codecs or tasks. With names of tasks, the script only fills CACHE. Copy the
constants from the results to `vecsmith.advise.retention_interval` and `vecsmith.advise.corpus_size`.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import log
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom, t

from vecsmith.advise.corpus_size import DEPTH, MIN_DOCUMENTS, SHARES, Forecast, GrowthCalibration, fit_exponents
from vecsmith.advise.prediction import REDUCER_FACTOR
from vecsmith.advise.pseudo_queries import MAX_DOCUMENTS, PseudoQueries
from vecsmith.advise.retention_interval import LEAST_LOSS, POWER, RetentionInterval, Z
from vecsmith.codecs import Codec
from vecsmith.embeddings import normalize
from vecsmith.encoders import embed_task
from vecsmith.evaluation.folds import encode_corpus
from vecsmith.evaluation.judged_queries import JudgedQueries
from vecsmith.index import Index
from vecsmith.report import findings_markdown
from vecsmith.report.findings import Findings, Table
from vecsmith.tasks import load_task

RESULTS = Path(__file__).parent / "results"
KNOWN = (1.0, 1 / 2, 1 / 4, 1 / 8, 1 / 16)
"""Shares of the corpus that predictions are made from; 1/2 only if the smaller shares have too few documents."""
MAX_QUERIES = 1000
Doubles = NDArray[np.float64]


def tasks(data: Path, made: Path) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield the origin of the texts, name, encoder, spec and split of every task."""
    for encoder, name in product(("minilm", "mpnet", "potion", "wordllama"), ("cranfield", "scifact", "hotpotqa-2k")):
        yield name.split("-")[0], name, encoder, str(data / name), "train+dev+test"
    yield "pydocs", "pydocs", "wordllama", "pydocs", "train+dev+test"
    for folder in sorted(made.glob("*/vectors/*")):
        name = folder.parts[-3]
        yield name.split("-")[0], name, folder.name, str(folder.parents[1]), "test"


def specs(d: int) -> Iterator[tuple[str, Any]]:
    """Yield codecs of the kinds and sizes that `fit auto` tries, with their scoring."""
    codecs = ["int8", "int4", "binary", f"pca{d // 4},int8"]
    codecs += [f"trellis{d // part}B" for part in (4, 8, 16, 32)] + [f"hybrid{d // part}B" for part in (8, 16)]
    yield from product(codecs, ["asymmetric"])
    yield "binary", "symmetric"


@dataclass(frozen=True)
class Trial:
    """A prediction for a codec from a share of a corpus, and the truth for the whole corpus."""

    origin: str
    task: str
    encoder: str
    codec: str
    known: int
    documents: int
    loss: float
    exponent: float
    variance: float
    kept: Doubles
    reference: Doubles
    true_exponent: float

    @cached_property
    def retention(self) -> float:
        """Measured retention in the whole corpus."""
        return float(self.kept.mean() / self.reference.mean())

    @cached_property
    def spread(self) -> float:
        """Standard deviation of a single query's share in the retention, by the delta method."""
        return float(((self.kept - self.retention * self.reference) / self.reference.mean()).std(ddof=1))

    @property
    def is_precise(self) -> bool:
        """Whether the measured loss is three times its standard error, and not almost zero."""
        return min(1 - self.retention, self.loss) > max(3 * self.spread / len(self.kept) ** 0.5, 0.01)

    def forecast(self, constants: "Constants", queries: float) -> Forecast:
        """Return the prediction for the whole corpus."""
        low, high = constants.interval.bounds(self.loss, queries)
        known = Forecast(self.known, 1 - self.loss, float(low), float(high))
        return constants.growth.growth(self.exponent, self.variance).forecast(known, self.documents)


def measure(path: Path, name: str, encoder: str, spec: str, split: str) -> None:
    """Write the losses of pseudo-queries among shares of a corpus, and nDCG@10 of its judged queries."""
    task = load_task(spec)
    corpus, queries = embed_task(task, "static" if spec == name else f"vectors:{encoder}")
    X, judged = normalize(corpus.vectors[:]), task.judgements(task.present(split))
    asked = [row for row, id_ in enumerate(queries.ids) if id_ in judged]
    asked = [asked[row] for row in np.sort(np.random.default_rng(0).permutation(len(asked))[:MAX_QUERIES])]
    ids = [queries.ids[row] for row in asked]
    relevant, own = [judged[id_] for id_ in ids], [id_ if task.ignore_identical_ids else "" for id_ in ids]
    order, known = np.random.default_rng(1).permutation(len(X)), []
    found: dict[str, Any] = {"documents": len(X)}

    def ndcg(parts: Any, scoring: Any) -> Doubles:
        rows = Index.from_partitions(parts, scoring, ids=corpus.ids).search(normalize(queries.vectors[asked]), DEPTH)[1]
        ranked = [[corpus.ids[row] for row in ranking] for ranking in rows]
        gains = [
            [judgement.get(id_, 0) * (id_ != itself) for id_ in ranking]
            for ranking, judgement, itself in zip(ranked, relevant, own, strict=True)
        ]
        skipped = [[id_ == itself for id_ in ranking] for ranking, itself in zip(ranked, own, strict=True)]
        ideal = [sorted(judgement.values(), reverse=True) for judgement in relevant]
        return thinned_ndcg(np.array(gains, float), np.array(skipped)) / [
            sum(gain / np.log2(rank + 2) for rank, gain in enumerate(gains[:10])) for gains in ideal
        ]

    found["float32"] = ndcg(encode_corpus("float32", X).parts, "asymmetric")
    for share in KNOWN:
        Y = X[np.sort(order[: round(share * len(X))])]
        if share < 1 and (len(Y) < MIN_DOCUMENTS or (share == 1 / 2 and len(X) / 4 >= MIN_DOCUMENTS)):
            continue
        pseudo = PseudoQueries(Y, depth=DEPTH) if len(Y) <= MAX_DOCUMENTS else None
        known += [share] if pseudo else []
        for codec, scoring in specs(X.shape[1]):
            if not pseudo and share < 1:
                continue
            encoded = encode_corpus(codec, Y)
            if share == 1:
                found[f"{codec}|{scoring}"] = ndcg(encoded.parts, scoring)
            if pseudo:
                found[f"{share}|{codec}|{scoring}"] = pseudo.losses(encoded, scoring, SHARES).astype(np.float32)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **found, known=known)


def thinned_ndcg(gains: Doubles, skipped: NDArray[np.bool_]) -> Doubles:
    """Return the expected discounted gains (n_shares, n_queries) of rankings among shares of the other documents.

    Parameters
    ----------
    gains : ndarray of shape (n_queries, depth), float64
        Gains of the ranked documents. Relevant documents are kept, and the others with the probability of a share.
    skipped : ndarray of shape (n_queries, depth), bool
        Documents that do not count, because they are the query.
    """
    relevant, depth = gains > 0, np.arange(10)
    above = np.cumsum(relevant, axis=1) - relevant
    others = np.arange(gains.shape[1]) - above - np.cumsum(skipped, axis=1) + skipped
    found = []
    for share in SHARES:
        kept = binom.pmf(depth, np.arange(gains.shape[1])[:, None], share)
        discount = np.array([kept[:, : 10 - rank] @ (1 / np.log2(depth[rank:] + 2)) for rank in depth])
        found.append((np.where(above < 10, discount[np.minimum(above, 9), others], 0) * gains).sum(axis=1))
    return np.array(found)


if __name__ == "__main__":
    for origin, name, *others in tasks(Path(sys.argv[1]), Path(sys.argv[2])):
        path = Path(sys.argv[3]) / f"{name}@{others[0]}.npz"
        if path.stem.startswith(tuple(sys.argv[4:]) or "") and not path.exists():
            measure(path, name, *others)
            print(path, flush=True)
