"""`study small-to-large`: small models' vectors side by side, translated into the compressed space of large models."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

import numpy as np

from vecsmith.array_types import Floats, RowNumbers
from vecsmith.codecs import Codec
from vecsmith.embeddings import EmbeddingSet, normalize
from vecsmith.errors import VecsmithError
from vecsmith.evaluation.folds import protocol_folds, training_set
from vecsmith.evaluation.judged_queries import JudgedQueries
from vecsmith.progress import track
from vecsmith.report.architectures import Models, translator_diagram
from vecsmith.report.article import Block
from vecsmith.report.findings import Findings, Plot, Table, mean_and_spread, ndcg_beside
from vecsmith.studies.config import STUDIES, StudyConfig
from vecsmith.studies.outline import OUTLINES, Outline
from vecsmith.translators import translator

TRANSLATORS = ("linear", "mlp1", "mlp2", "mlp1:retrieval")
QUERIES_ONLY = ", queries only"
SHARE = 1 / 2
"""Default width of the auto-encoded target space, divided by the dimensions of the target."""


@dataclass(frozen=True)
class FusedVectors:
    """Vectors of a task by small models and by the target model, side by side.

    Attributes
    ----------
    corpus, queries : EmbeddingSet
        Fused vectors of all models. Only the judged queries are measured.
    judged : JudgedQueries
        The judged queries.
    target_dimensions : int
        Dimensions of the target, whose vectors come last. The target is one large model or several side by side.
    training : EmbeddingSet or None
        The fused vectors of the training set under transfer.
    """

    corpus: EmbeddingSet
    queries: EmbeddingSet
    judged: JudgedQueries
    target_dimensions: int
    training: EmbeddingSet | None

    def split(self, vectors: Floats) -> tuple[Floats, Floats]:
        """Return the unit vectors of the small models, side by side, and of the target."""
        first = vectors.shape[1] - self.target_dimensions
        return normalize(vectors[:, :first]), normalize(vectors[:, first:])

    @cached_property
    def documents(self) -> tuple[Floats, Floats]:
        """Vectors of the documents by the small models and by the target."""
        return self.split(self.corpus.unit[:])

    @cached_property
    def judged_queries(self) -> tuple[Floats, Floats]:
        """Vectors of the judged queries by the small models and by the target."""
        return self.split(self.queries.unit[self.judged.rows])

    def training_sets(self, fit_on: str, seed: int) -> Iterator[tuple[tuple[Floats, Floats], RowNumbers]]:
        """Yield each training set of the protocol, with the rows of the documents to encode (see `encode_corpus`)."""
        small, large = self.documents
        if self.training is not None:
            yield self.split(self.training.unit[:]), np.arange(len(small))
            return
        for train, rows in protocol_folds(len(small), fit_on, seed):
            yield (small[train], large[train]), rows


def small_to_large(config: StudyConfig, width: int | None = None) -> Findings:
    """Measure small models' vectors translated into the auto-encoded space of the last encoder, one or several fused.

    The translators are measured twice: with queries and documents translated, and with queries only.

    Parameters
    ----------
    config : StudyConfig
        Tasks, encoders and protocol. The last encoder is the target: a large model, or several joined by ``+``. All
        others are the small models. A folder to fit on must hold vectors of all encoders, joined by ``+`` in this
        order.
    width : int, optional
        Dimensions of the auto-encoded target space; by default, half of the dimensions of the target.

    Returns
    -------
    Findings
        nDCG@10 divided by that of the target, the share of the gap between the small models side by side and the
        target that is closed, and a plot.

    Raises
    ------
    VecsmithError
        If there are fewer than two encoders.
    """
    if len(config.encoders) < 2:
        raise VecsmithError(
            "The study needs small encoders and, as the last one, the target; give --encoder two or more times."
        )
    ndcg_by_line: dict[str, dict[str, list[float]]] = {}
    for number, task in enumerate(config.loaded, 1):
        corpus, queries = config.embed(task, "+".join(config.encoders))
        d = config.embed(task, config.encoders[-1])[0].dimensions
        judged = JudgedQueries(task, task.present(config.split), queries.ids, corpus.ids)
        vectors = FusedVectors(corpus, queries, judged, d, training_set(config.fit_on, corpus))
        for seed in track(config.seeds, f"{task.name}: seeds", len(config.seeds)):
            for line, ndcg in _measure(vectors, config.fit_on, seed, width or round(d * SHARE)).items():
                ndcg_by_line.setdefault(line, {}).setdefault(task.name, []).append(ndcg)
        findings = _findings(ndcg_by_line, config, f"{width or round(d * SHARE)} of {d} dimensions")
        config.publish(findings, number, len(config.loaded))
    return findings


def _measure(vectors: FusedVectors, fit_on: str, seed: int, width: int) -> dict[str, float]:
    """Return nDCG@10 by line: the small models, the target, the auto-encoded target, and every translator."""
    (small, large), (small_queries, large_queries) = vectors.documents, vectors.judged_queries
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
    for (X, Y), rows in vectors.training_sets(fit_on, seed):
        reducer = Codec(f"autoencoder{width}", seed).fit(Y).reducers[0]
        documents = reducer.transform(large[rows])
        scores[f"large, autoencoder{width}"][:, rows] = reducer.transform(large_queries) @ documents.T
        for name in TRANSLATORS:
            fitted = translator(name, seed).fit(X, reducer.transform(Y))
            queries = fitted.transform(small_queries)
            scores[name][:, rows] = queries @ fitted.transform(small[rows]).T
            scores[name + QUERIES_ONLY][:, rows] = queries @ documents.T
    return {name: vectors.judged.rank(each).mean_ndcg_at_10 for name, each in scores.items()}


def _findings(ndcg_by_line: dict[str, dict[str, list[float]]], config: StudyConfig, width: str) -> Findings:
    """Return the findings for nDCG@10 by line and task, one value for each seed."""
    small, large = ndcg_by_line["small, side by side"], ndcg_by_line["large"]
    rows, points = [], list[tuple[float, float]]()
    for number, (line, by_task) in enumerate(ndcg_by_line.items()):
        retentions = {task: [ndcg / fmean(large[task]) for ndcg in by_seed] for task, by_seed in by_task.items()}
        gaps = {task: fmean(large[task]) - fmean(small[task]) for task in by_task}
        closed = {
            task: f"{(fmean(by_seed) - fmean(small[task])) / gaps[task]:.0%}" if gaps[task] > 0 else "no gap"
            for task, by_seed in by_task.items()
        }
        mean = fmean(map(fmean, retentions.values()))
        ndcgs = {task: fmean(by_seed) for task, by_seed in by_task.items()}
        cells = [ndcg_beside(ndcgs[task], mean_and_spread(retentions[task])) for task in by_task]
        rows.append([line, *cells, ndcg_beside(fmean(ndcgs.values()), f"{mean:.1%}"), *closed.values()])
        points.append((float(number), 100 * mean))
    small_models, large_models = ("+".join(encoders) for encoders in (config.encoders[:-1], config.encoders[-1:]))
    title = (
        f"nDCG@10, and divided by that of {large_models} (large): {small_models} (small) translated into the space of "
        f"{large_models} auto-encoded to {width}, and the share of the gap that is closed; seeds "
        f"{', '.join(map(str, config.seeds))}; fit on {config.fit_on}"
    )
    columns = ["line", *large, "mean", *(f"{task}: gap closed" for task in large)]
    label = f"nDCG@10, % of {large_models}"
    plot = Plot("small-to-large", title, "line", label, {"": points}, joined=False, x_names=list(ndcg_by_line))
    return Findings([Table("small-to-large", title, columns, rows)], plots=[plot])


def methods(models: Models) -> Sequence[Block]:
    """Return the methods for the article, with a diagram of the largest translator."""
    *small, (large, d) = models.items()
    source = " + ".join(name for name, _ in small), sum(size for _, size in small)
    return [
        "The vectors of the small models, side by side, are translated into the space of the large model, reduced by "
        "`autoencoderK`.",
        translator_diagram(TRANSLATORS[-1], source, (f"{large}, reduced", round(d * SHARE))),
    ]


STUDIES["small-to-large"] = small_to_large
OUTLINES["small-to-large"] = Outline(
    "Small models in place of a large one",
    "Can small models, fused and translated, replace a large model?",
    methods,
    {"small-to-large": "Small models, the large one, and translations"},
)
