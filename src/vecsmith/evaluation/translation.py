"""Measure a translator on the documents of a task, with cross-fitting and a cache."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, lru_cache

import numpy as np

from vecsmith.array_types import Floats, RowNumbers
from vecsmith.codecs import Codec
from vecsmith.embeddings import EmbeddingSet, content_hash
from vecsmith.encoders import EncoderOptions, embed_task
from vecsmith.evaluation import geometry
from vecsmith.evaluation.folds import Fold, folds
from vecsmith.evaluation.judged_queries import JudgedQueries
from vecsmith.evaluation.versions import code_hash, versions
from vecsmith.files import cache_folder, fingerprint, write_text
from vecsmith.index import Index
from vecsmith.tasks import Task, load_task
from vecsmith.translators import Translator, translator
from vecsmith.translators.sets import translated_provenance

FOLDS = 5
"""Folds of the cross-fitting of translators: each translator is fitted on four fifths of the texts."""
NEIGHBORS = 10
MODES = ("queries", "documents", "both", "neither")
"""Sides of the search that are translated."""
OF_QUERIES = "_of_queries"
"""End of the names of measures of the neighborhoods of queries among each other."""


@dataclass(frozen=True)
class Experiment:
    """A translator from one model to another, to be measured on one task.

    Attributes
    ----------
    task, split, source, target, method : str
        Specs of the task, the split of its judgements, the two encoders and the translator.
    seed : int
        Seed of the translator and of the folds.
    folds : int
        Folds to translate, of `FOLDS`. Fewer folds save time for translators that are slow to fit; then the retrieval
        of translated documents is not measured.
    options : tuple of two EncoderOptions
        Prompts, maximum length and batch size of the two encoders.
    """

    task: str
    split: str
    source: str
    target: str
    method: str
    seed: int
    folds: int = FOLDS
    options: tuple[EncoderOptions, EncoderOptions] = (EncoderOptions(), EncoderOptions())

    def embed(self) -> tuple[tuple[EmbeddingSet, EmbeddingSet], tuple[EmbeddingSet, EmbeddingSet]]:
        """Return the vectors of the task's corpus and queries, by the source encoder and by the target encoder."""
        source, target = self.options
        return _embedded(self.task, self.source, source), _embedded(self.task, self.target, target)


@dataclass(frozen=True)
class ExperimentResult:
    """The measures of an experiment.

    Attributes
    ----------
    experiment : Experiment
        The experiment.
    task : str
        Name of the task.
    figures : dict of str to float
        Measures on documents outside the training set: ``mse``, ``cosine``, ``linear_cka``, ``rbf_cka`` and those of
        `vecsmith.evaluation.ranked_lists`, which are also measured on queries (``jaccard_of_queries`` and so on). For
        each of `MODES`, nDCG@10 (``ndcg_queries`` and so on), and nDCG@10 relative to the target model's own
        index (``queries`` and so on). ``neither`` is missing if the models have different dimensions, ``documents`` and
        ``both`` are missing if only some folds are translated, and the measures on queries if there are at most
        `NEIGHBORS` queries. ``full_rank`` is the smaller of the dimensions of both models.
    """

    experiment: Experiment
    task: str
    figures: dict[str, float]


def run(experiment: Experiment) -> ExperimentResult:
    """Run an experiment, or read its result from the cache if it was run before on the same inputs."""
    task = _task(experiment.task)
    source, target = experiment.embed()
    sets = [embedded.fingerprint for embedded in (*source, *target)]
    key = [asdict(experiment), task.fingerprint, sets, versions(), code_hash()]
    path = cache_folder() / "results" / f"{fingerprint(key)}.json"
    try:
        return ExperimentResult(experiment, task.name, json.loads(path.read_text(encoding="utf-8"))["figures"])
    except (OSError, ValueError, KeyError, TypeError):  # not run yet
        figures = _measure(experiment, task, source, target)
        write_text(path, json.dumps({"figures": figures}))
        return ExperimentResult(experiment, task.name, figures)


def run_with_sets(experiment: Experiment) -> tuple[ExperimentResult, dict[str, EmbeddingSet]]:
    """Run an experiment, and also return the sets of translated documents and translated queries, by this name.

    Every document is translated by a translator that was not fitted on it; documents of folds that are not translated
    are left out. Queries are translated by the translator of the first fold. The provenance names both models, all
    translators and the source vectors.
    """
    result = run(experiment)
    documents, queries = experiment.embed()[0]
    target = experiment.embed()[1][0].provenance
    chosen, translated, fitted = _translated(experiment)
    rows = np.sort(np.concatenate([fold.rows for fold in chosen]))
    vectors = {
        "documents": (documents, rows, translated[rows], fitted),
        "queries": (queries, np.arange(len(queries)), fitted[0].transform(queries.unit[:]), fitted[:1]),
    }
    return result, {name: _as_set(result.task, target.space, *each) for name, each in vectors.items()}


def _as_set(
    task: str, target: str, source: EmbeddingSet, rows: RowNumbers, vectors: Floats, fitted: Sequence[Translator]
) -> EmbeddingSet:
    """Return the translated vectors of some rows of a set, with their provenance, which names the task."""
    first = fitted[0]
    first.source, first.target = source.provenance.space, target
    ids = [source.ids[row] for row in rows]
    texts = None if source.texts is None else [source.texts[row] for row in rows]
    provenance = translated_provenance(first, source.source, source.provenance, [source.fingerprint])
    by = fingerprint([[each.fingerprint for each in fitted], source.fingerprint])
    return EmbeddingSet(
        vectors,
        ids,
        texts,
        replace(provenance, dataset=task, translator=f"{first.spec} {by}", content_hash=content_hash(ids, texts)),
    )


@lru_cache(maxsize=1)
def _translated(experiment: Experiment) -> tuple[list[Fold], Floats, list[Translator]]:
    """Return the folds to translate, the translated documents, and the translator of each fold."""
    source, target = (embedded[0].unit[:] for embedded in experiment.embed())
    chosen = folds(len(source), FOLDS, experiment.seed)[: experiment.folds]
    return chosen, *cross_translate(experiment.method, source, target, experiment.seed, chosen)


@cache
def _task(spec: str) -> Task:
    return load_task(spec)


@cache
def _embedded(task: str, encoder: str, options: EncoderOptions) -> tuple[EmbeddingSet, EmbeddingSet]:
    return embed_task(_task(task), encoder, options)


def _measure(
    experiment: Experiment,
    task: Task,
    source: tuple[EmbeddingSet, EmbeddingSet],
    target: tuple[EmbeddingSet, EmbeddingSet],
) -> dict[str, float]:
    X, Y = source[0].unit[:], target[0].unit[:]
    chosen, translated, fitted = _translated(experiment)
    # measured on the first fold, because its texts were translated by a single translator
    Z, true = translated[chosen[0].rows], Y[chosen[0].rows]
    neighborhoods = geometry.neighborhoods(Z, true, (NEIGHBORS,), experiment.seed)
    figures = {
        "mse": geometry.mse(Z, true).mean,
        "cosine": geometry.cosine(Z, true).mean,
        "linear_cka": geometry.linear_cka(Z, true),
        "rbf_cka": geometry.rbf_cka(Z, true),
        "full_rank": float(min(X.shape[1], Y.shape[1])),
        **{name: estimate.mean for (name, _), estimate in neighborhoods.items()},
    }
    # the first translator is fitted on documents only
    all_queries, true_queries = fitted[0].transform(source[1].unit[:]), target[1].unit[:]
    if len(true_queries) > NEIGHBORS:
        neighborhoods = geometry.neighborhoods(all_queries, true_queries, (NEIGHBORS,), experiment.seed)
        figures |= {f"{name}{OF_QUERIES}": estimate.mean for (name, _), estimate in neighborhoods.items()}
    judged = JudgedQueries(task, experiment.split, target[1].ids)
    source_queries, target_queries = source[1].unit[judged.rows], true_queries[judged.rows]

    def ndcg(Q: Floats, D: Floats) -> float:
        return judged.search(float_index(D, task.corpus.ids), Q).mean_ndcg_at_10

    baseline, queries = ndcg(target_queries, Y), all_queries[judged.rows]
    modes = {"queries": ndcg(queries, Y)}
    if experiment.folds == FOLDS:
        modes |= {"documents": ndcg(target_queries, translated), "both": ndcg(queries, translated)}
    if X.shape[1] == Y.shape[1]:
        modes["neither"] = ndcg(source_queries, Y)
    absolute = {f"ndcg_{mode}": value for mode, value in modes.items()}
    return figures | absolute | {mode: value / baseline for mode, value in modes.items()}


def float_index(D: Floats, ids: Sequence[str]) -> Index:
    """Return an index of float32 vectors (n, d) of documents."""
    codec = Codec("float32").fit(D)
    return Index(codec, codec.encode(D), ids=ids)


def cross_translate(
    method: str, X: Floats, Y: Floats, seed: int, splits: Sequence[Fold] | None = None
) -> tuple[Floats, list[Translator]]:
    """Translate the rows of each fold by a translator that was fitted on the training set of the fold.

    Parameters
    ----------
    method : str
        Spec of the translator.
    X, Y : ndarray of shape (n, a) and (n, b), float32
        Paired vectors of the source and of the target model.
    seed : int
        Seed of the translators, and of the default folds.
    splits : sequence of Fold, optional
        The folds; by default all of `FOLDS` folds, whose training sets are the rows of the other folds.

    Returns
    -------
    translated : ndarray of shape (n, b), float32
        X in the space of Y. Rows that are in no fold are NaN.
    fitted : list of Translator
        The translator of each fold.
    """
    translated, fitted = np.full_like(Y, np.nan), []
    for train, rows in folds(len(X), FOLDS, seed) if splits is None else splits:
        fitted.append(translator(method, seed).fit(X[train], Y[train]))
        translated[rows] = fitted[-1].transform(X[rows])
    return translated, fitted
