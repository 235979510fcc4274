"""One experiment of `study translators`: a translator, cross-fitted on the documents of a task."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from vecsmith.codecs import Codec
from vecsmith.embeddings import EmbeddingSet
from vecsmith.encoders import EncoderOptions, embed_task
from vecsmith.evaluation import DEPTH, evaluate, geometry
from vecsmith.evaluation.runner import code_hash, versions
from vecsmith.files import cache_folder, fingerprint, write_text
from vecsmith.index import Index
from vecsmith.tasks import Task, load_task
from vecsmith.translators import Translator, translator

Floats = NDArray[np.float32]

FOLDS = 5
"""Every text is translated by a translator that was fitted on the other four fifths."""
NEIGHBORS = 10
MODES = ("queries", "documents", "both", "neither")


@dataclass(frozen=True)
class Experiment:
    """What is measured: a translator, from one model to another, on one task.

    Attributes
    ----------
    task, split, source, target, method : str
        Specs of the task, its judgements, the two encoders and the translator.
    seed : int
        Of the translator and the folds.
    folds : int
        How many of `FOLDS` are translated, for translators that are slow to fit; of fewer than all, documents are not
        searched.
    options : tuple of two EncoderOptions
        Prompts, length and batch size of the two encoders.
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
        """Return the vectors of the task's corpus and queries, by the source's encoder and by the target's."""
        source, target = self.options
        return _embedded(self.task, self.source, source), _embedded(self.task, self.target, target)


@dataclass(frozen=True)
class Outcome:
    """An experiment, and what it found.

    Attributes
    ----------
    experiment : Experiment
        What was measured.
    task : str
        The task's name.
    figures : dict of str to float
        Of texts that were not fitted on: ``mse``, ``cosine``, ``linear_cka``, ``rbf_cka``, and the measures of
        `vecsmith.evaluation.ranked_lists`; nDCG@10 over that of the target model's own index, for each of `MODES`
        (``neither`` where dimensions agree, ``documents`` and ``both`` where all folds are translated).
    """

    experiment: Experiment
    task: str
    figures: dict[str, float]


def run(experiment: Experiment) -> Outcome:
    """Return what an experiment finds, from the cache if it was run before on the same inputs."""
    task = _task(experiment.task)
    source, target = experiment.embed()
    sets = [embedded.fingerprint for embedded in (*source, *target)]
    key = [asdict(experiment), task.fingerprint, sets, versions(), code_hash()]
    path = cache_folder() / "results" / f"{fingerprint(key)}.json"
    try:
        return Outcome(experiment, task.name, json.loads(path.read_text(encoding="utf-8"))["figures"])
    except (OSError, ValueError, KeyError, TypeError):  # not run yet
        figures = _measure(experiment, task, source, target)
        write_text(path, json.dumps({"figures": figures}))
        return Outcome(experiment, task.name, figures)


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
    translated, folds, fitted = cross_translate(experiment.method, X, Y, experiment.seed, folds=experiment.folds)
    # a fold's texts were translated by one translator, as all would be in use
    Z, wanted = translated[folds[0]], Y[folds[0]]
    neighbors = geometry.neighborhoods(Z, wanted, (NEIGHBORS,), experiment.seed)
    figures = {
        "mse": geometry.mse(Z, wanted).mean,
        "cosine": geometry.cosine(Z, wanted).mean,
        "linear_cka": geometry.linear_cka(Z, wanted),
        "rbf_cka": geometry.rbf_cka(Z, wanted),
        **{name: found.mean for (name, _), found in neighbors.items()},
    }
    judged = [row for row, id_ in enumerate(target[1].ids) if id_ in task.judgements(experiment.split)]
    asked, own = (side[1].unit[np.array(judged)] for side in (source, target))

    def ndcg(Q: Floats, D: Floats) -> float:
        return retrieval(task, experiment.split, [target[1].ids[row] for row in judged], Q, D)

    baseline, queries = ndcg(own, Y), fitted.transform(asked)
    modes = {"queries": ndcg(queries, Y)}
    if experiment.folds == FOLDS:
        modes |= {"documents": ndcg(own, translated), "both": ndcg(queries, translated)}
    if X.shape[1] == Y.shape[1]:
        modes["neither"] = ndcg(asked, Y)
    return figures | {mode: value / baseline for mode, value in modes.items()}


def retrieval(task: Task, split: str, query_ids: Sequence[str], Q: Floats, D: Floats) -> float:
    """Return the mean nDCG@10 of queries (m, d) on all documents (n, d) of a task."""
    codec = Codec("float32").fit(D)
    index = Index(codec, codec.encode(D), ids=task.corpus.ids)
    scores, rows = index.search(Q, DEPTH + task.ignore_identical_ids)
    judgements = task.judgements(split)
    quality = evaluate(scores, rows, query_ids, task.corpus.ids, judgements, task.ignore_identical_ids)
    return float(quality.ndcg_at_10.mean())


def cross_translate(
    method: str, X: Floats, Y: Floats, seed: int, pairs: int | None = None, folds: int = FOLDS
) -> tuple[Floats, list[NDArray[np.int64]], Translator]:
    """Translate every row of X by a translator that has not seen it.

    Parameters
    ----------
    method : str
        Spec of the translator.
    X, Y : ndarray of shape (n, a) and (n, b), float32
        Paired vectors.
    seed : int
        Seeds translators and folds.
    pairs : int, optional
        Pairs that each learns from; all outside the fold by default.
    folds : int
        Folds to translate.

    Returns
    -------
    translated : ndarray of shape (n, b), float32
        X in the space of Y; NaN where a fold was not translated.
    folds : list of ndarray of int64
        The rows that each translator translated.
    fitted : Translator
        That of the first fold.
    """
    parts = np.array_split(np.random.default_rng(seed).permutation(len(X)), FOLDS)
    translated, fitted = np.full_like(Y, np.nan), []
    for number, rows in enumerate(parts[:folds]):
        others = np.concatenate(parts[:number] + parts[number + 1 :])[:pairs]
        fitted.append(translator(method, seed).fit(X[others], Y[others]))
        translated[rows] = fitted[-1].transform(X[rows])
    return translated, parts[:folds], fitted[0]
