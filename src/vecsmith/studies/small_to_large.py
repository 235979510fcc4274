"""`study small-to-large`: small models' vectors side by side, translated into the compressed space of large models."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from vecsmith.codecs import Codec
from vecsmith.embeddings import EmbeddingSet, normalize
from vecsmith.errors import VecsmithError
from vecsmith.evaluation import evaluate
from vecsmith.evaluation.folds import training_set
from vecsmith.progress import track
from vecsmith.report.findings import Findings, Plot, Table, cell
from vecsmith.studies.setting import STUDIES, Setting
from vecsmith.tasks import Task
from vecsmith.translators import translator

Floats = NDArray[np.float32]

TRANSLATORS = ("linear", "mlp1", "mlp2", "mlp1:retrieval")
QUERIES_ONLY = ", queries only"
SHARE = 1 / 2
"""Width of the auto-encoded target space over that of the target, where no width is given."""
DEPTH = 101
"""Documents of a ranking: a hundred count, and one may be the query itself."""


@dataclass(frozen=True)
class Models:
    """A task embedded by small models and then by the target, side by side.

    Attributes
    ----------
    task : Task
        The task.
    split : str
        Its judgements that count.
    corpus, queries : EmbeddingSet
        Fused vectors of all models.
    target_dimensions : int
        Dimensions of the target, which is one large model or several side by side; they are the last ones.
    training : EmbeddingSet or None
        The fused vectors to fit on under transfer.
    """

    task: Task
    split: str
    corpus: EmbeddingSet
    queries: EmbeddingSet
    target_dimensions: int
    training: EmbeddingSet | None

    def parts(self, vectors: Floats) -> tuple[Floats, Floats]:
        """Return the unit vectors of the small models, side by side, and of the target."""
        first = vectors.shape[1] - self.target_dimensions
        return normalize(vectors[:, :first]), normalize(vectors[:, first:])

    @cached_property
    def documents(self) -> tuple[Floats, Floats]:
        """Vectors of the corpus."""
        return self.parts(self.corpus.unit[:])

    @cached_property
    def asked(self) -> tuple[list[str], tuple[Floats, Floats]]:
        """Ids and vectors of the judged queries."""
        judgements = self.task.judgements(self.split)
        rows = np.array([row for row, id_ in enumerate(self.queries.ids) if id_ in judgements], dtype=np.int64)
        return [self.queries.ids[row] for row in rows], self.parts(self.queries.unit[rows])

    def folds(self, fit_on: str, seed: int) -> Iterator[tuple[tuple[Floats, Floats], NDArray[np.int64]]]:
        """Yield what is fitted on, and the rows of the documents that are encoded then (see `encode_corpus`)."""
        small, large = self.documents
        everything = np.arange(len(small))
        if self.training is not None:
            yield self.parts(self.training.unit[:]), everything
        elif fit_on == "corpus":
            yield (small, large), everything
        else:
            order = np.random.default_rng(seed).permutation(len(small))
            halves = np.sort(order[: len(small) // 2]), np.sort(order[len(small) // 2 :])
            for rows, others in (halves, halves[::-1]):
                yield (small[others], large[others]), rows

    def ndcg(self, scores: Floats) -> float:
        """Return the mean nDCG@10 of scores (n_queries, n_docs)."""
        depth = min(DEPTH, scores.shape[1])
        top = np.argpartition(-scores, depth - 1, axis=1)[:, :depth]
        best = np.take_along_axis(scores, top, axis=1)
        names, identical = self.asked[0], self.task.ignore_identical_ids
        judgements = self.task.judgements(self.split)
        return float(evaluate(best, top, names, self.corpus.ids, judgements, identical).ndcg_at_10.mean())


def small_to_large(setting: Setting, width: int | None = None) -> Findings:
    """Measure small models' vectors translated into the auto-encoded space of the last encoder, one or several fused.

    Both queries and documents are translated, or queries only.

    Parameters
    ----------
    setting : Setting
        On what it measures, and how. The last encoder is the target: a large model, or several joined by ``+``. All
        others are the small models. A folder to fit on must be of all encoders, joined by ``+`` in this order.
    width : int, optional
        Dimensions to which the target's vectors are auto-encoded; half of the target's by default.

    Returns
    -------
    Findings
        nDCG@10 over that of the target, and which share of the gap between the small models side by side and the target
        is closed, where there is a gap; and a plot.

    Raises
    ------
    VecsmithError
        If there are fewer than two encoders.
    """
    if len(setting.encoders) < 2:
        raise VecsmithError(
            "The study needs small encoders and, as the last one, the target; give --encoder two or more times."
        )
    found: dict[str, dict[str, list[float]]] = {}
    for task in setting.loaded:
        corpus, queries = setting.embed(task, "+".join(setting.encoders))
        d = setting.embed(task, setting.encoders[-1])[0].dimensions
        training = training_set(setting.fit_on, corpus)
        models = Models(task, task.present(setting.split), corpus, queries, d, training)
        for seed in track(setting.seeds, f"{task.name}: seeds", len(setting.seeds)):
            for line, ndcg in _measure(models, setting.fit_on, seed, width or round(d * SHARE)).items():
                found.setdefault(line, {}).setdefault(task.name, []).append(ndcg)
    return _findings(found, setting, f"{width or round(d * SHARE)} of {d} dimensions")


def _measure(models: Models, fit_on: str, seed: int, width: int) -> dict[str, float]:
    """Return nDCG@10 by line: the small models, the target, the target auto-encoded, and every translator."""
    (small, large), (small_queries, large_queries) = models.documents, models.asked[1]
    scores = {
        "small, side by side": small_queries @ small.T,
        "large": large_queries @ large.T,
        f"large, autoencoder{width}": np.empty((len(large_queries), len(large)), np.float32),
        **{
            name + which: np.empty((len(large_queries), len(large)), np.float32)
            for name in TRANSLATORS
            for which in ("", QUERIES_ONLY)
        },
    }
    for (X, Y), rows in models.folds(fit_on, seed):
        space = Codec(f"autoencoder{width}", seed).fit(Y).reducers[0]
        documents = space.transform(large[rows])
        scores[f"large, autoencoder{width}"][:, rows] = space.transform(large_queries) @ documents.T
        for name in TRANSLATORS:
            fitted = translator(name, seed).fit(X, space.transform(Y))
            queries = fitted.transform(small_queries)
            scores[name][:, rows] = queries @ fitted.transform(small[rows]).T
            scores[name + QUERIES_ONLY][:, rows] = queries @ documents.T
    return {name: models.ndcg(each) for name, each in scores.items()}


def _findings(found: dict[str, dict[str, list[float]]], setting: Setting, width: str) -> Findings:
    naive, large = found["small, side by side"], found["large"]
    rows, lines = [], dict[str, list[tuple[float, float]]]()
    for number, (line, measured) in enumerate(found.items()):
        shares = {task: [x / fmean(large[task]) for x in values] for task, values in measured.items()}
        gaps = {task: fmean(large[task]) - fmean(naive[task]) for task in measured}
        closed = {
            task: f"{(fmean(values) - fmean(naive[task])) / gaps[task]:.0%}" if gaps[task] > 0 else "no gap"
            for task, values in measured.items()
        }
        mean = fmean(map(fmean, shares.values()))
        rows.append([line, *(cell(shares[task]) for task in measured), f"{mean:.1%}", *closed.values()])
        lines[line] = [(float(number), 100 * mean)]
    small, large_models = ("+".join(encoders) for encoders in (setting.encoders[:-1], setting.encoders[-1:]))
    title = (
        f"nDCG@10 over that of {large_models} (large): {small} (small) translated into the space of {large_models} "
        f"auto-encoded to {width}, and the share of the gap that is closed; seeds "
        f"{', '.join(map(str, setting.seeds))}; fit on {setting.fit_on}"
    )
    columns = ["line", *large, "mean", *(f"{task}: gap closed" for task in large)]
    plot = Plot("small-to-large", title, "line", f"nDCG@10, % of {large_models}", lines, joined=False)
    return Findings([Table("small-to-large", title, columns, rows)], plots=[plot])


STUDIES["small-to-large"] = small_to_large
