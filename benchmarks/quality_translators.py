"""Experiments on translators between ready vectors of two models."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from statistics import fmean
from typing import Any

import numpy as np
from quality_data import MODELS, TEST, Data, Floats, Side, best, load, table

import vecsmith
from vecsmith.advise.migration_simulation import EMBEDDED_PER_QUERY
from vecsmith.evaluation.folds import folds
from vecsmith.evaluation.translation import FOLDS, cross_translate
from vecsmith.report.findings import Findings
from vecsmith.translators.calibration import ScoreCalibration

METHOD, STATIC = "canonical", "wordllama"
Models = tuple[str, str]
BOTH_WAYS: tuple[Models, ...] = (("minilm", "mpnet"), ("mpnet", "minilm"))
STATIC_WAYS: tuple[Models, ...] = tuple(way for s in ("potion", STATIC) for way in (("minilm", s), (s, "minilm")))
OTHER_TEXT = "hotpotqa-2k"
OTHER_PAIRS = (1000, 4000, 19_000)
OWN_PAIRS = {"scifact": (1000, 4000), "cranfield": (500, 1000), OTHER_TEXT: (4000,)}
"""Numbers of pairs from other text, and from the searched corpus."""
SEEDS = (0, 1, 2)
EMBEDDED = {"scifact": (1000, 2500, 4000), "cranfield": (250, 500, 1000), OTHER_TEXT: (1000, 4000, 10_000)}
"""Documents that the new model has embedded; the translator is fitted on them."""


@dataclass(frozen=True)
class Case:
    """A task in the spaces of a source and a target model, and the pairs that translators are fitted on.

    Attributes
    ----------
    source, target : Side
        Vectors of the task.
    names : list of str
        Description of the pairs, name of the task, and models.
    n_pairs : int
        Number of pairs.
    other : tuple of two ndarray, optional
        Pairs of other text. Without them, the pairs are documents of the task, cross-fitted over five folds.
    """

    source: Side
    target: Side
    names: list[str]
    n_pairs: int
    other: tuple[Floats, Floats] | None = None

    def translate(self, method: str, seed: int, back: bool = False) -> tuple[vecsmith.Translator, Floats]:
        """Return a translator, and all documents translated; with `back`, from the target to the source."""
        a, b = (self.target, self.source) if back else (self.source, self.target)
        if self.other:
            fitted = vecsmith.translator(method, seed).fit(*(self.other[::-1] if back else self.other))
            return fitted, fitted.transform(a.documents)
        splits = folds(len(a.documents), FOLDS, seed, self.n_pairs)
        translated, crossed = cross_translate(method, a.documents, b.documents, seed, splits)
        return crossed[0], translated


def cases(data: Data, seed: int, ways: Sequence[Models], other: Sequence[int], own: bool) -> Iterator[Case]:
    """Yield the cases of pairs from other text, and from the corpus if `own` is set, between models."""
    others = load(str(data.folder / OTHER_TEXT))
    order = np.random.default_rng(seed).permutation(len(others.corpus))
    for models in ways:
        X, Y = (vecsmith.embed_task(others, f"vectors:{model}")[0].unit[:] for model in models)
        for task in data.tasks(*OWN_PAIRS):
            source, target = (Side(task, model, TEST) for model in models)
            names = [task.name, " → ".join(models)]
            for n in () if task.name == OTHER_TEXT else other:
                yield Case(source, target, [f"{n:,} of {OTHER_TEXT}", *names], n, (X[order[:n]], Y[order[:n]]))
            for n in OWN_PAIRS[task.name] if own else ():
                yield Case(source, target, [f"{n:,} of its own", *names], n)


def translators(data: Data) -> Findings:
    """Measure methods, numbers of pairs, and pairs of other text and of the corpus."""
    lines = []
    every = [*cases(data, data.seed, BOTH_WAYS, OTHER_PAIRS, True)]
    every += cases(data, data.seed, STATIC_WAYS, OTHER_PAIRS[-1:], False)
    for case in every:
        for method in ("procrustes", "linear", METHOD):
            fitted, translated = case.translate(method, data.seed)
            queries, target = fitted.transform(case.source.queries), case.target
            ways = [(queries, target.documents), (target.queries, translated), (queries, translated)]
            lines.append([*case.names, method, *(target.retention(Q @ D.T) for Q, D in ways)])
    columns = ["pairs", "task", "models", "translator", "queries", "documents", "both"]
    return table("Retention with queries or documents translated", columns, lines)


def rescored(scores: Floats, exact: Floats) -> Floats:
    """Return the exact scores (queries, documents) of the shortlist, and −∞ for other documents."""
    rows = best(scores, EMBEDDED_PER_QUERY)
    result = np.full_like(exact, -np.inf)
    np.put_along_axis(result, rows, np.take_along_axis(exact, rows, axis=1), axis=1)
    return result


def beside(case: Case, static: Side, seed: int) -> list[float]:
    """Return the retention of the static model, and of three ways to switch, without and with its scores."""
    back, target = case.translate(METHOD, seed, back=True)[0], case.target
    own, added = target.queries @ target.documents.T, static.queries @ static.documents.T
    by_queries = back.transform(target.queries) @ case.source.documents.T
    by_documents = target.queries @ case.translate(METHOD, seed)[1].T
    found = [added, by_queries, by_queries + added, by_documents, by_documents + added]
    found += [rescored(by_documents, own), rescored(by_documents + added, own), own + added]
    return [target.retention(scores) for scores in found]


def translators_beside(data: Data) -> Findings:
    """Measure translations with the scores of a static model added."""
    lines: dict[tuple[str, ...], list[list[float]]] = {}
    for seed in SEEDS:
        for case in cases(data, seed, BOTH_WAYS, OTHER_PAIRS, True):
            static = Side(case.target.task, STATIC, TEST)
            lines.setdefault(tuple(case.names), []).append(beside(case, static, seed))
    top = f"top {EMBEDDED_PER_QUERY}"
    columns = ["static alone", "queries", "+ static", "documents", "+ static", top, "+ static", "both models"]
    title = (
        f"Retention with `{METHOD}`, means of seeds {SEEDS[0]} to {SEEDS[-1]}. “+ static”: with {STATIC}'s cosine, of "
        f"equal weight. “Top {EMBEDDED_PER_QUERY}”: the shortlist of translated documents, ordered by the target's own "
        "vectors. “Both models”: the target's own documents with the static model's scores"
    )
    rows = [[*names, *map(float, np.mean(found, axis=0))] for names, found in lines.items()]
    return table(title, ["pairs", "task", "models", *columns], rows)


def mixed_shares(old: Side, new: Side, static: Side, n: int, seed: int) -> list[float]:
    """Return the retention of three indexes, the same with a static model, and the factor of the calibration."""
    rows = np.random.default_rng(seed).permutation(len(old.documents))[:n]
    X, Y = old.documents[rows], new.documents[rows]
    translated = vecsmith.translator(METHOD, seed).fit(X, Y).transform(old.documents)
    calibration = ScoreCalibration.fit(Y, cross_translate(METHOD, X, Y, seed)[0], seed)
    scores = []
    for own in (translated[rows], Y, calibration.transform(Y)):
        D = translated.copy()
        D[rows] = own
        scores.append(new.queries @ D.T)
    added, exact = static.queries @ static.documents.T, new.queries @ new.documents.T
    both = [new.ndcg(each + added) / new.ndcg(exact + added) for each in scores]
    return [*(new.retention(each) for each in scores), *both, float(calibration.ratio)]


def mixed_index(data: Data) -> Findings:
    """Measure indexes that mix vectors of the new model with translated ones."""
    rows: list[list[Any]] = []
    for task in data.tasks():
        sides = {model: Side(task, model, TEST) for model in MODELS}
        for old, new in permutations(MODELS[:3], 2):
            for n in EMBEDDED[task.name]:
                each = [mixed_shares(sides[old], sides[new], sides[STATIC], n, seed) for seed in SEEDS]
                rows.append([task.name, f"{n:,}", f"{old} → {new}", *map(float, np.mean(each, axis=0))])
    rows.append(["mean", "", "", *(fmean(column) for column in list(zip(*rows, strict=True))[3:])])
    names = ["all translated", "as embedded", "calibrated"]
    columns = ["task", "embedded", "models", *names, *(f"{name}, + static" for name in names), "r"]
    title = f"Retention over an index of the new model, test queries, `{METHOD}`, means of seeds 0 to {SEEDS[-1]}"
    return table(title, columns, [[*row[:-1], f"{row[-1]:.2f}"] for row in rows])
