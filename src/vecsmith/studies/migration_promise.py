"""`study migration`: how what ``vecsmith migrate plan`` predicts turns out."""

from collections.abc import Iterator, Sequence
from itertools import permutations

import faiss
import numpy as np
from numpy.typing import NDArray

from vecsmith.embeddings import EmbeddingSet
from vecsmith.encoders import embed_task
from vecsmith.metrics import DEPTH, evaluate
from vecsmith.search.exact import score_shortlist
from vecsmith.studies.findings import Findings, Table
from vecsmith.studies.migration import METHOD, SHORTLIST, Plan, Way, plan
from vecsmith.tasks import Task, load_task
from vecsmith.translators import translator

Floats = NDArray[np.float32]

PAIRS = (1000, 4000)
"""Documents embedded by both models."""


def migration(
    tasks: Sequence[str],
    encoders: Sequence[str],
    split: str = "test",
    fit_on: str = "cross",
    seeds: Sequence[int] = (0, 1, 2),
) -> Findings:
    """Compare plans with what real queries keep after the switch, for every ordered pair of encoders.

    Parameters
    ----------
    tasks, encoders, split, seeds
        As of `quantization`.
    fit_on : str
        Plans are made on the task's own documents, whatever it is.

    Returns
    -------
    Findings
        How often the interval held, and every prediction beside what was measured.
    """
    return findings(outcomes(tasks, encoders, split, seeds))


def outcomes(tasks: Sequence[str], encoders: Sequence[str], split: str, seeds: Sequence[int]) -> list[list[str]]:
    """Return a row per task, ordered pair of encoders, seed, number of pairs and way to switch."""
    rows: list[list[str]] = []
    for spec in tasks:
        task = load_task(spec)
        sets = {encoder: embed_task(task, encoder) for encoder in encoders}
        for models in permutations(encoders, 2):
            for seed in seeds:
                for pairs in PAIRS:
                    # the rest of the documents must be worth translating
                    if pairs <= 0.8 * len(sets[models[0]][0]):
                        rows += _rows(task, task.present(split), sets, models, pairs, seed)
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
    (old, _), (new, queries) = sets[models[0]], sets[models[1]]
    sample = np.sort(np.random.default_rng(seed).permutation(len(old))[:pairs])
    named = [old.ids[row] for row in sample]
    # an empty text may have a zero vector
    texts = [new.rows[int(row)][1] or "" for row in sample]
    planned = plan(old, EmbeddingSet(new.unit[sample], named, texts), METHOD, seed)
    measured = _measure(task, split, old.unit[:], new.unit[:], queries, sample, seed)
    for way, kept in zip(_whole(planned), measured, strict=True):
        low, high = way.interval
        inside = "yes" if low <= kept <= high else "no"
        shares = [f"{way.retention:.1%}", f"{low:.1%} – {min(high, 1):.1%}", f"{kept:.1%}"]
        yield [task.name, *models, str(pairs), way.name, *shares, inside]


def _whole(planned: Plan) -> list[Way]:
    """Return the ways that embed no documents before the switch."""
    return [way for way in planned.ways if not way.re_embedded]


def _measure(
    task: Task, split: str, A: Floats, B: Floats, queries: EmbeddingSet, sample: NDArray[np.int64], seed: int
) -> list[float]:
    """Return what judged queries keep: translated, on translated documents, and with these embedded again."""
    judgements = task.judgements(split)
    rows = [row for row, id_ in enumerate(queries.ids) if id_ in judgements]
    Q, names = queries.unit[np.array(rows)], [queries.ids[row] for row in rows]
    identical = task.ignore_identical_ids

    def ndcg(found: NDArray[np.int64], scores: Floats) -> float:
        return float(evaluate(scores, found, names, task.corpus.ids, judgements, identical).ndcg_at_10.mean())

    def search(Q: Floats, D: Floats, k: int = DEPTH + 1) -> tuple[Floats, NDArray[np.int64]]:
        index = faiss.IndexFlatIP(D.shape[1])
        index.add(D)
        scores, found = index.search(np.ascontiguousarray(Q), min(k, len(D)))
        return scores, found

    scores, found = search(Q, B)
    reference = ndcg(found, scores)
    backwards = translator(METHOD, seed).fit(B[sample], A[sample])
    scores, found = search(backwards.transform(Q), A)
    kept = [ndcg(found, scores)]
    documents = translator(METHOD, seed).fit(A[sample], B[sample]).transform(A)
    scores, found = search(Q, documents)
    kept.append(ndcg(found, scores))
    _, found = search(Q, documents, SHORTLIST)
    scores = score_shortlist(Q, found, lambda wanted: B[wanted])
    order = np.argsort(-scores, axis=1, kind="stable")[:, : DEPTH + 1]
    kept.append(ndcg(np.take_along_axis(found, order, axis=1), np.take_along_axis(scores, order, axis=1)))
    return [each / reference for each in kept]
