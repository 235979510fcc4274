"""`study migration`: compare the predictions of ``vecsmith migrate plan`` with the retention on real queries."""

from collections.abc import Iterator, Sequence
from itertools import permutations

import numpy as np

from vecsmith.advise.migration import METHOD, plan
from vecsmith.advise.migration_simulation import EMBEDDED_PER_QUERY
from vecsmith.array_types import Floats
from vecsmith.embeddings import EmbeddingSet, sample_rows
from vecsmith.errors import VecsmithError
from vecsmith.evaluation.judged_queries import JudgedQueries
from vecsmith.evaluation.translation import cross_translate
from vecsmith.progress import track
from vecsmith.report.architectures import Models, translator_diagram
from vecsmith.report.article import Block
from vecsmith.report.findings import Findings, Table
from vecsmith.studies.config import STUDIES, StudyConfig
from vecsmith.studies.outline import OUTLINES, Outline
from vecsmith.tasks import Task
from vecsmith.translators import translator

PAIRS = (1000, 4000)
"""Number of documents that both models embed."""
MAX_SHARE = 0.8
"""Maximum share of a task's documents that both models embed."""
AUXILIARY = "static"
"""Encoder of the auxiliary model."""


def migration(config: StudyConfig) -> Findings:
    """Compare plans with the retention on real queries after the switch, for every ordered pair of encoders.

    Every option is planned and measured twice: alone, and with the scores of the built-in static encoder added.

    Parameters
    ----------
    config : StudyConfig
        Tasks, encoders and seeds. Plans are made on the task's own documents, whatever the protocol is.

    Returns
    -------
    Findings
        How often the measured retention lies inside the interval, and every prediction with its measured value.

    Raises
    ------
    VecsmithError
        If there are fewer than two encoders, or all tasks are too small.
    """
    rows = measure_plans(config)
    if not rows:
        raise VecsmithError(
            f"A switch is studied between two encoders or more, on {PAIRS[0] / MAX_SHARE:,.0f} documents or more; give "
            "those with --encoder and --task."
        )
    return findings(rows)


def measure_plans(config: StudyConfig) -> list[list[str]]:
    """Return a row for each task, ordered pair of encoders, seed, number of pairs and option."""
    rows: list[list[str]] = []
    for number, task in enumerate(config.loaded, 1):
        sets = {encoder: config.embed(task, encoder) for encoder in (*config.encoders, AUXILIARY)}
        switches = [
            (models, pairs, seed)
            for models in permutations(config.encoders, 2)
            for seed in config.seeds
            for pairs in PAIRS
            if pairs <= MAX_SHARE * len(sets[models[0]][0])
        ]
        for models, pairs, seed in track(switches, f"{task.name}: switches of models", len(switches)):
            rows += _measure_plan(task, task.present(config.split), sets, models, pairs, seed)
        if rows:
            config.publish(findings(rows), number, len(config.loaded))
    return rows


def findings(rows: Sequence[Sequence[str]]) -> Findings:
    """Return the tables for the rows of one or several calls of `measure_plans`."""
    counts = []
    for option in [*dict.fromkeys(row[4] for row in rows), "all"]:
        group = [row for row in rows if option in (row[4], "all")]
        inside = sum(row[-1] == "yes" for row in group) / len(group)
        difference = np.mean([float(row[7].rstrip("%")) - float(row[5].rstrip("%")) for row in group])
        counts.append([option, str(len(group)), f"{inside:.0%}", f"{difference:+.1f}"])
    coverage = (
        "How often the retention on real queries lies inside the predicted 90 % interval; mean difference of measured "
        "and predicted retention, in points"
    )
    columns = ["task", "old", "new", "pairs", "option", "predicted", "90 % interval", "measured", "inside"]
    return Findings(
        [
            Table("coverage", coverage, ["option", "predictions", "inside", "measured − predicted"], counts),
            Table("plans", f"Every prediction, translator {METHOD}", columns, [list(row) for row in rows]),
        ]
    )


def _measure_plan(
    task: Task,
    split: str,
    sets: dict[str, tuple[EmbeddingSet, EmbeddingSet]],
    models: tuple[str, ...],
    pairs: int,
    seed: int,
) -> Iterator[list[str]]:
    """Yield a row for each option of a plan that embeds no documents before the switch."""
    (old, _), (new, queries), (static, static_queries) = (sets[name] for name in (*models, AUXILIARY))
    sample = sample_rows(len(old), pairs, seed)
    ids = [old.ids[row] for row in sample]
    # the texts are given because the vector of an empty text may be zero
    texts = [new.rows[int(row)][1] or "" for row in sample]
    planned = plan(old, EmbeddingSet(new.unit[sample], ids, texts), static, METHOD, seed)
    options = [option for option in planned.options if not option.re_embedded]
    judged = JudgedQueries(task, split, queries.ids)
    A, B, Q = old.unit[:], new.unit[:], queries.unit[judged.rows]
    to_old = translator(METHOD, seed).fit(B[sample], A[sample]).transform(Q)
    to_new = translator(METHOD, seed).fit(A[sample], B[sample]).transform(A)
    # the documents of the sample are translated with cross-fitting, as in the plan
    to_new[sample] = cross_translate(METHOD, A[sample], B[sample], seed)[0]
    spaces = (to_old, A), (Q, to_new), (Q, B)
    C, c = static.unit[:], static_queries.unit[judged.rows]
    measured = [*_retentions(judged, spaces, (c[:, :0], C[:, :0])), *_retentions(judged, spaces, (c, C))]
    for option, retention in zip(options, measured, strict=True):
        low, high = option.interval
        inside = "yes" if low <= retention <= high else "no"
        shares = [f"{option.retention:.1%}", f"{low:.1%} – {min(high, 1):.1%}", f"{retention:.1%}"]
        yield [task.name, *models, str(pairs), option.name, *shares, inside]


def _retentions(
    judged: JudgedQueries, spaces: Sequence[tuple[Floats, Floats]], auxiliary: tuple[Floats, Floats]
) -> list[float]:
    """Return the retention with translated queries, with translated documents, and with these and a rescored shortlist.

    Parameters
    ----------
    judged : JudgedQueries
        The queries.
    spaces : sequence of (queries, documents)
        Vectors in the old index, with translated documents, and of the new model.
    auxiliary : (queries, documents)
        Vectors of the auxiliary model, whose scores are added to all others.
    """
    c, C = auxiliary
    old, translated, new = ((np.hstack([Q, c]), np.hstack([D, C])) for Q, D in spaces)
    qualities = [
        judged.search_exactly(*old),
        judged.search_exactly(*translated),
        judged.search_exactly(*translated, new, EMBEDDED_PER_QUERY),
    ]
    reference = judged.search_exactly(*new).mean_ndcg_at_10
    return [quality.mean_ndcg_at_10 / reference for quality in qualities]


def methods(models: Models) -> Sequence[Block]:
    """Return the methods for the article, with a diagram of a switch from the first model to the second."""
    old, new = list(models.items())[:2]
    return [
        "A plan predicts the retention from the documents that both models embedded. The same options are then "
        "measured on real queries.",
        translator_diagram(METHOD, old, new),
    ]


STUDIES["migration"] = migration
OUTLINES["migration"] = Outline(
    "Plans of a switch of models",
    "Does the 90 % interval of `vecsmith migrate plan` contain the retention on real queries?",
    methods,
    {"coverage": "Coverage of the interval", "plans": "Every prediction"},
)
