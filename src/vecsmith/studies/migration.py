"""`study migration`: how what ``vecsmith migrate plan`` predicts turns out."""

from collections.abc import Iterator, Sequence
from itertools import permutations

import faiss
import numpy as np
from numpy.typing import NDArray

from vecsmith.advise.migration import METHOD, plan
from vecsmith.advise.migration_trial import SHORTLIST
from vecsmith.embeddings import EmbeddingSet, sample_rows
from vecsmith.errors import VecsmithError
from vecsmith.evaluation import DEPTH, evaluate
from vecsmith.evaluation.translation import cross_translate
from vecsmith.index.shortlist import score_shortlist
from vecsmith.progress import track
from vecsmith.report.findings import Findings, Table
from vecsmith.studies.setting import STUDIES, Setting
from vecsmith.tasks import Task
from vecsmith.translators import translator

Floats = NDArray[np.float32]

PAIRS = (1000, 4000)
"""Documents embedded by both models."""
MOST = 0.8
"""The share of a task's documents that they are at most."""
BESIDE = "static"
"""The encoder of the model that stays."""


def migration(setting: Setting) -> Findings:
    """Compare plans with what real queries keep after the switch, for every ordered pair of encoders.

    Every way is planned and measured with the scores of the built-in static encoder added, too.

    Parameters
    ----------
    setting : Setting
        On what it measures. Plans are made on the task's own documents, whatever is to be fitted on.

    Returns
    -------
    Findings
        How often the interval held, and every prediction beside what was measured.

    Raises
    ------
    VecsmithError
        If there are fewer than two encoders, or all tasks are too small to plan on a part of their documents.
    """
    rows = outcomes(setting)
    if not rows:
        raise VecsmithError(
            f"A switch is studied between two encoders or more, on {PAIRS[0] / MOST:,.0f} documents or more; give "
            "those with --encoder and --task."
        )
    return findings(rows)


def outcomes(setting: Setting) -> list[list[str]]:
    """Return a row per task, ordered pair of encoders, seed, number of pairs and way to switch."""
    rows: list[list[str]] = []
    for task in setting.loaded:
        sets = {encoder: setting.embed(task, encoder) for encoder in (*setting.encoders, BESIDE)}
        switches = [
            (models, pairs, seed)
            for models in permutations(setting.encoders, 2)
            for seed in setting.seeds
            for pairs in PAIRS
            # the rest of the documents must be worth translating
            if pairs <= MOST * len(sets[models[0]][0])
        ]
        for models, pairs, seed in track(switches, f"{task.name}: switches of models", len(switches)):
            rows += _rows(task, task.present(setting.split), sets, models, pairs, seed)
    return rows


def findings(rows: Sequence[Sequence[str]]) -> Findings:
    """Return the tables of what `outcomes` returned, of one call or several."""
    counts = []
    for way in [*dict.fromkeys(row[4] for row in rows), "all"]:
        these = [row for row in rows if way in (row[4], "all")]
        inside = sum(row[-1] == "yes" for row in these) / len(these)
        difference = np.mean([float(row[7].rstrip("%")) - float(row[5].rstrip("%")) for row in these])
        counts.append([way, str(len(these)), f"{inside:.0%}", f"{difference:+.1f}"])
    coverage = "How often what real queries keep lies inside the predicted interval; mean of measured less predicted"
    columns = ["task", "old", "new", "pairs", "way", "predicted", "90 % of cases", "measured", "inside"]
    return Findings(
        [
            Table("coverage", coverage, ["way", "predictions", "inside", "measured − predicted"], counts),
            Table("plans", f"Every prediction, translator {METHOD}", columns, [list(row) for row in rows]),
        ]
    )


def _rows(
    task: Task,
    split: str,
    sets: dict[str, tuple[EmbeddingSet, EmbeddingSet]],
    models: tuple[str, ...],
    pairs: int,
    seed: int,
) -> Iterator[list[str]]:
    """Yield a row per way to switch."""
    (old, _), (new, queries), (static, static_queries) = (sets[name] for name in (*models, BESIDE))
    sample = sample_rows(len(old), pairs, seed)
    named = [old.ids[row] for row in sample]
    # an empty text may have a zero vector
    texts = [new.rows[int(row)][1] or "" for row in sample]
    planned = plan(old, EmbeddingSet(new.unit[sample], named, texts), static, METHOD, seed)
    ways = [way for way in planned.ways if not way.re_embedded]
    judged = Judged(task, split, queries.ids)
    A, B, Q = old.unit[:], new.unit[:], queries.unit[judged.rows]
    to_old = translator(METHOD, seed).fit(B[sample], A[sample]).transform(Q)
    to_new = translator(METHOD, seed).fit(A[sample], B[sample]).transform(A)
    # no document is translated by what has seen it, as it is predicted
    to_new[sample] = cross_translate(METHOD, A[sample], B[sample], seed)[0]
    spaces = (to_old, A), (Q, to_new), (Q, B)
    C, also = static.unit[:], static_queries.unit[judged.rows]
    measured = [*_kept(judged, spaces, (also[:, :0], C[:, :0])), *_kept(judged, spaces, (also, C))]
    for way, kept in zip(ways, measured, strict=True):
        low, high = way.interval
        inside = "yes" if low <= kept <= high else "no"
        shares = [f"{way.retention:.1%}", f"{low:.1%} – {min(high, 1):.1%}", f"{kept:.1%}"]
        yield [task.name, *models, str(pairs), way.name, *shares, inside]


class Judged:
    """The judged queries of a task, among those with `ids`.

    Attributes
    ----------
    rows : ndarray of shape (n,), int64
        Their places among the ids.
    """

    def __init__(self, task: Task, split: str, ids: Sequence[str]) -> None:
        self.task, self.judgements = task, task.judgements(split)
        self.rows = np.array([row for row, id_ in enumerate(ids) if id_ in self.judgements])
        self.names = [ids[row] for row in self.rows]

    def ndcg(self, Q: Floats, D: Floats, shortlist: tuple[Floats, Floats] | None = None) -> float:
        """Return the nDCG@10 of vectors, or of the first 200 reordered with other vectors of queries and documents."""
        index = faiss.IndexFlatIP(D.shape[1])
        index.add(np.ascontiguousarray(D))
        wanted = SHORTLIST if shortlist else DEPTH + 1
        scores, found = index.search(np.ascontiguousarray(Q), min(wanted, len(D)))
        if shortlist:
            queries, documents = shortlist
            scores = score_shortlist(queries, found, lambda wanted: documents[wanted])
            order = np.argsort(-scores, axis=1, kind="stable")[:, : DEPTH + 1]
            scores, found = np.take_along_axis(scores, order, axis=1), np.take_along_axis(found, order, axis=1)
        same = self.task.ignore_identical_ids
        result = evaluate(scores, found, self.names, self.task.corpus.ids, self.judgements, same)
        return float(result.ndcg_at_10.mean())


def _kept(judged: Judged, spaces: Sequence[tuple[Floats, Floats]], beside: tuple[Floats, Floats]) -> list[float]:
    """Return what is kept with queries translated, with documents translated, and with 200 of these embedded again.

    Parameters
    ----------
    judged : Judged
        The queries.
    spaces : sequence of (queries, documents)
        Of the old index, of translated documents, and of the new model.
    beside : (queries, documents)
        Of another model, whose scores are added to all of them.
    """
    also, C = beside
    old, translated, new = ((np.hstack([Q, also]), np.hstack([D, C])) for Q, D in spaces)
    figures = judged.ndcg(*old), judged.ndcg(*translated), judged.ndcg(*translated, new)
    reference = judged.ndcg(*new)
    return [figure / reference for figure in figures]


STUDIES["migration"] = migration
