"""Experiments on translators between ready vectors of two models."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import permutations
from statistics import fmean
from typing import Any
from unittest.mock import patch

import numpy as np
from quality_data import MODELS, TEST, Data, Floats, Side, best, load, table
from scipy.linalg import lapack

import vecsmith
from vecsmith.advise.migration_simulation import EMBEDDED_PER_QUERY
from vecsmith.embeddings import normalize
from vecsmith.evaluation.folds import folds
from vecsmith.evaluation.translation import FOLDS, Experiment, cross_translate
from vecsmith.report.findings import Findings, Table
from vecsmith.studies.translators import findings, run_all
from vecsmith.tasks import Task
from vecsmith.translators import canonical
from vecsmith.translators.calibration import ScoreCalibration

METHOD, STATIC = "canonical", "wordllama"
BOTH_WAYS = (("minilm", "mpnet"), ("mpnet", "minilm"))
OTHER_TEXT = "hotpotqa-2k"
OTHER_PAIRS = (1000, 4000, 19_000)
OWN_PAIRS = {"scifact": (1000, 4000), "cranfield": (500, 1000), OTHER_TEXT: (4000,)}
"""Numbers of pairs from other text, and from the searched corpus."""
SEEDS = (0, 1, 2)
EMBEDDED = {"scifact": (1000, 2500, 4000), "cranfield": (250, 500, 1000), OTHER_TEXT: (1000, 4000, 10_000)}
"""Documents that the new model has embedded; the translator is fitted on them."""
POWERS = [  # α, β, γ of `canonical`, whose values come first
    (canonical.WHITENING, canonical.CORRELATION_POWER, canonical.TARGET_WHITENING),
    (1 / 8, 1 / 2, 1 / 8),
    (3 / 8, 1 / 2, 1 / 8),
    (1 / 4, 1 / 4, 1 / 8),
    (1 / 4, 1, 1 / 8),
    (1 / 4, 1 / 2, 0),
    (1 / 4, 1 / 2, 1 / 4),
    (3 / 8, 1, 1 / 8),
]
TRIAL_QUERIES = 800
SHARPNESS, RIDGES, KERNEL_SAMPLE = (1, 2, 4, 8), (0.001, 0.003, 0.01, 0.03, 0.1), 3000


@dataclass(frozen=True)
class Case:
    """A task in the spaces of a source and a target model, and the pairs that translators are fitted on.

    Attributes
    ----------
    source, target : Side
        Vectors of the task.
    models : tuple of two str
        Names of the two models.
    n_pairs : int
        Number of pairs.
    other : tuple of two ndarray, optional
        Pairs of other text. Without them, the pairs are documents of the task, cross-fitted over five folds.
    """

    source: Side
    target: Side
    models: tuple[str, str]
    n_pairs: int
    other: tuple[Floats, Floats] | None = None

    @property
    def names(self) -> list[str]:
        """The pairs, task and models in words."""
        text = OTHER_TEXT if self.other else "its own"
        return [f"{self.n_pairs:,} of {text}", self.target.task.name, " → ".join(self.models)]

    def translate(self, method: str, seed: int, back: bool = False) -> tuple[vecsmith.Translator, Floats]:
        """Return a translator, and all documents translated; with `back`, from the target to the source."""
        a, b = (self.target, self.source) if back else (self.source, self.target)
        if self.other:
            fitted = vecsmith.translator(method, seed).fit(*(self.other[::-1] if back else self.other))
            return fitted, fitted.transform(a.documents)
        splits = folds(len(a.documents), FOLDS, seed, self.n_pairs)
        translated, crossed = cross_translate(method, a.documents, b.documents, seed, splits)
        return crossed[0], translated


def cases(data: Data, seed: int, side: Callable[[Task, str], Side] | None = None) -> Iterator[Case]:
    """Yield the cases of pairs from other text and from the corpus, between MiniLM and mpnet in both directions."""
    make = side or partial(Side, split=TEST)
    others = load(str(data.folder / OTHER_TEXT))
    order = np.random.default_rng(seed).permutation(len(others.corpus))
    for models in BOTH_WAYS:
        X, Y = (vecsmith.embed_task(others, f"vectors:{model}")[0].unit[:] for model in models)
        for task in data.tasks("scifact", "cranfield"):
            source, target = (make(task, model) for model in models)
            yield from (Case(source, target, models, n, (X[order[:n]], Y[order[:n]])) for n in OTHER_PAIRS)
        for task in data.tasks("scifact", "cranfield", OTHER_TEXT):
            source, target = (make(task, model) for model in models)
            yield from (Case(source, target, models, n) for n in OWN_PAIRS[task.name])


def kept(case: Case, method: str, seed: int) -> list[float]:
    """Return the retention with queries, documents, and both translated."""
    fitted, translated = case.translate(method, seed)
    queries, target = fitted.transform(case.source.queries), case.target
    ways = [(queries, target.documents), (target.queries, translated), (queries, translated)]
    return [target.retention(*way) for way in ways]


def translators(data: Data) -> Findings:
    """Measure methods, numbers of pairs, and pairs of other text and of the corpus."""
    every = list(cases(data, data.seed))
    others = load(str(data.folder / OTHER_TEXT))
    rows = np.random.default_rng(data.seed).permutation(len(others.corpus))[: max(OTHER_PAIRS)]
    for static in ("potion", STATIC):
        for models in (("minilm", static), (static, "minilm")):
            X, Y = (vecsmith.embed_task(others, f"vectors:{model}")[0].unit[rows] for model in models)
            for task in data.tasks("scifact", "cranfield"):
                source, target = (Side(task, model, TEST) for model in models)
                every.append(Case(source, target, models, len(X), (X, Y)))
    methods = ("procrustes", "linear", "canonical")
    lines = [[*case.names, method, *kept(case, method, data.seed)] for case in every for method in methods]
    columns = ["pairs", "task", "models", "translator", "queries", "documents", "both"]
    return Findings([table(f"Retention with queries or documents translated, seed {data.seed}", columns, lines)])


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
    return [target.ndcg(scores) / target.baseline for scores in found]


def translators_beside(data: Data) -> Findings:
    """Measure translations with the scores of a static model added."""
    lines: dict[tuple[str, ...], list[list[float]]] = {}
    for seed in SEEDS:
        for case in cases(data, seed):
            static = Side(case.target.task, STATIC, TEST)
            lines.setdefault(tuple(case.names), []).append(beside(case, static, seed))
    names = [
        "static alone",
        "queries",
        "+ static",
        "documents",
        "+ static",
        f"top {EMBEDDED_PER_QUERY}",
        "+ static",
        "both models",
    ]
    title = (
        f"Retention with `{METHOD}`, means of seeds {SEEDS[0]} to {SEEDS[-1]}. “+ static”: with {STATIC}'s cosine, of "
        f"equal weight. “Top {EMBEDDED_PER_QUERY}”: the shortlist of translated documents, ordered by the target's own "
        "vectors. “Both models”: the target's own documents with the static model's scores"
    )
    rows = [[*names_, *map(float, np.mean(found, axis=0))] for names_, found in lines.items()]
    return Findings([table(title, ["pairs", "task", "models", *names], rows)])


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
    alone = [new.ndcg(each) / new.baseline for each in scores]
    both = [new.ndcg(each + added) / new.ndcg(exact + added) for each in scores]
    return [*alone, *both, float(calibration.ratio)]


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
    return Findings([table(title, columns, [[*row[:-1], f"{row[-1]:.2f}"] for row in rows])])


def translator_trials(data: Data) -> Findings:
    """Measure the powers of `canonical`, and other translators, on training queries."""

    def side(task: Task, model: str) -> Side:
        return Side(task, model, "train", TRIAL_QUERIES)

    chosen = Data(data.folder, [name for name in data.names if name in ("scifact", OTHER_TEXT)], data.seeds)
    every = [case for case in cases(chosen, data.seed, side) if case.n_pairs >= 4000]
    trials: list[tuple[str, str, tuple[float, float, float]]] = [
        (f"α, β, γ = {', '.join(f'{power:g}' for power in powers)}", METHOD, powers) for powers in POWERS
    ]
    trials += [(f"`{method}`", method, POWERS[0]) for method in ("procrustes", "linear", "local8")]
    rows: list[list[str]] = []
    for name, method, (alpha, beta, gamma) in trials:
        with patch.multiple(canonical, WHITENING=alpha, CORRELATION_POWER=beta, TARGET_WHITENING=gamma):
            shares = [kept(case, method, data.seed)[:2] for case in every]
        pairs = [*shares, np.mean(shares, axis=0)]
        rows.append([name, *(" / ".join(f"{100 * share:.1f}" for share in pair) for pair in pairs)])
    title = f"Retention in percent, queries / documents translated, on {TRIAL_QUERIES} training queries"
    return Findings([table(title, ["trial", *(", ".join(case.names) for case in every), "mean"], rows)])


def leave_one_out(X: Floats, Y: Floats, sharpness: float, ridge: float) -> Floats:
    """Return predictions (n, b) of each row of Y from all other rows (Rasmussen and Williams 2006, eq. 5.12)."""
    K = np.exp(np.float32(sharpness) * (X @ X.T - 1))
    K[np.diag_indices(len(K))] += ridge
    # the transposes are in the column order of LAPACK, which then copies nothing
    L, _ = lapack.spotrf(K.T, lower=1, clean=1, overwrite_a=1)
    inverse, _ = lapack.strtri(L, lower=1, overwrite_c=1)
    mean = Y.mean(axis=0)
    weights = inverse.T @ (inverse @ (Y - mean))
    return np.asarray(Y - weights / np.einsum("ij,ij->j", inverse, inverse)[:, None])


def kernel(X: Floats, Y: Floats) -> Floats:
    """Return leave-one-out predictions with the kernel's settings of smallest error on a sample."""
    some = np.random.default_rng(0).permutation(len(X))[:KERNEL_SAMPLE]

    def error(settings: tuple[float, float]) -> float:
        return float(np.square(leave_one_out(X[some], Y[some], *settings) - Y[some]).mean())

    return leave_one_out(X, Y, *min(((s, r) for s in SHARPNESS for r in RIDGES), key=error))


def translation_ceiling(data: Data) -> Findings:
    """Estimate the best possible translator with maps fitted on the corpus and the test queries."""
    partners = {"minilm": MODELS[1:], **dict.fromkeys(MODELS[1:], MODELS[:1])}
    rows: list[Sequence[Any]] = []
    for task in data.tasks():
        sides = {model: Side(task, model, TEST) for model in MODELS}
        texts = {model: np.vstack([side.documents, side.queries]) for model, side in sides.items()}
        for a, targets in partners.items():
            predicted = kernel(texts[a], np.hstack([texts[b] for b in targets]))
            ends = np.cumsum([texts[b].shape[1] for b in targets])[:-1]
            for b, block in zip(targets, np.split(predicted, ends, axis=1), strict=True):
                bent, side = normalize(block), sides[b]
                oracles = {"linear": texts[a], "kernel": None, "both": np.hstack([texts[a], bent])}
                for name, X in oracles.items():
                    translated = bent
                    if X is not None:
                        translated = vecsmith.translator(METHOD, data.seed).fit(X, texts[b]).transform(X)
                    D, Q = np.split(translated, [len(side.documents)])
                    ways = [Q @ side.documents.T, side.queries @ D.T]
                    wanted = best(side.queries @ side.documents.T, 10)
                    shares = [side.ndcg(scores) / side.baseline for scores in ways]
                    for scores in ways:
                        pairs = zip(best(scores, 10), wanted, strict=True)
                        shares.append(float(np.mean([np.isin(ours, true).mean() for ours, true in pairs])))
                    rows.append([task.name, f"{a} → {b}", name, *shares])
    columns = ["task", "models", "oracle", "queries", "documents", "neighbors, queries", "neighbors, documents"]
    title = (
        "Retention on the test queries, and the share of the target's ten nearest documents that are retrieved. Maps "
        "were fitted on the corpus *and the test queries*: `linear` on the texts that it translates, `kernel` on all "
        "others, `both` a linear map over the two. An estimate, not a bound"
    )
    return Findings([table(title, columns, rows)])


def translators_study(data: Data) -> Findings:
    """Run the study of translators between three models; nonlinear maps on SciFact only, where they take minutes."""
    models = [f"vectors:{model}" for model in MODELS[:3]]
    quick, nonlinear = ("canonical", "procrustes", "linear", "linear:rank64"), ("local8", "mlp1")
    slow = ("mlp1x8", "mlp1x32", "mlp2", "mlp2x8")
    pairs = [(a, b) for a, b in permutations(models, 2) if models[0] in (a, b)]
    whole = [
        Experiment(path, TEST, a, b, method, data.seed)
        for path in data.paths("scifact", OTHER_TEXT)
        for method in (*quick, *(nonlinear if path in data.paths("scifact") else ()))
        for a, b in permutations(models, 2)
    ]
    # these take hours, so one of the five folds must do
    wide = [
        Experiment(path, TEST, a, b, method, data.seed, folds=1)
        for path in data.paths("scifact")
        for method in slow
        for a, b in pairs
    ]
    outcomes = run_all([*whole, *wide], None)
    crossed, ones = outcomes[: len(whole)], outcomes[len(whole) :]
    on_scifact = [each for each in crossed if each.experiment.task in data.paths("scifact")]
    figures = {(o.experiment.source, o.experiment.target, o.experiment.method): o.figures for o in [*on_scifact, *ones]}
    methods = ("linear", "mlp1", *slow)
    rows = [
        [*pair, *(f"{1000 * figures[*pair, m]['mse']:.3f} / {figures[*pair, m]['queries']:.1%}" for m in methods)]
        for pair in pairs
        if on_scifact
    ]
    widths = table(
        "Widths of hidden layers on SciFact: 1,000 times the squared error per dimension / retention with queries "
        "translated; the translator of the first fold",
        ["from", "to", *methods],
        rows,
    )
    both = findings([each for each in crossed if each.experiment.method in quick]).tables[0]
    alone = findings(on_scifact).tables[:1] if on_scifact else []
    alone = [Table("scifact", f"SciFact alone. {each.title}", each.columns, each.rows) for each in alone]
    return Findings([both, *alone, widths, *findings(crossed).tables[1:]])
