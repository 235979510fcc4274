"""Planning the switch from one embedding model to another: what each way keeps, from a sample embedded by both."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vecsmith.advise.migration_trial import Cluster, Trial, Way
from vecsmith.embeddings import EmbeddingSet, join, rows_of, sample_rows
from vecsmith.errors import VecsmithError
from vecsmith.evaluation.translation import cross_translate
from vecsmith.progress import track
from vecsmith.report.findings import Findings, Table
from vecsmith.translators import ScoreCalibration, complete_set, fit_sets, translator

METHOD = "canonical"
"""The translator."""
SAMPLE = 20_000
"""Texts embedded by both models that a plan, and a level, look at, at most."""
SHARES = (0.25, 0.5, 1.0)
"""Of the pairs, to see how many are needed."""
FEWEST = 200
"""Pairs that a plan needs."""


@dataclass(frozen=True)
class Plan:
    """What a switch costs and keeps.

    Attributes
    ----------
    pairs, documents : int
        Texts that both models embedded, and all that the old one did.
    method : str
        The translator.
    ways : list of Way
        The ways to switch.
    beside : str
        The model whose scores are added, or nothing.
    learning : list of (int, float, float)
        Pairs fitted on, and what translated queries and translated documents keep then, with the model beside.
    clusters : list of Cluster
        Where that is weak: worst first.
    """

    pairs: int
    documents: int
    method: str
    ways: list[Way]
    beside: str
    learning: list[tuple[int, float, float]]
    clusters: list[Cluster]


def plan(
    old: EmbeddingSet, new: EmbeddingSet, beside: EmbeddingSet | None = None, method: str = METHOD, seed: int = 0
) -> Plan:
    """Predict what each way of switching keeps of the new model's nDCG@10.

    Documents are taken for queries, each with its own vector of the new model, and judged by `ExpectedGain` under the
    new model's scores. Every document and query is translated by a translator that has not seen it.

    Parameters
    ----------
    old : EmbeddingSet
        The documents in the old index.
    new : EmbeddingSet
        A sample of them, by id, embedded by the new model; of more than 20,000 a random part is looked at.
    beside : EmbeddingSet, optional
        The documents by another model that stays, such as a static one. Every way is planned with its scores added too,
        and compared with the new model's index with these scores added.
    method : str
        Spec of the translator.
    seed : int
        Seeds samples and translators.

    Raises
    ------
    VecsmithError
        If fewer than 200 texts are embedded by both, or `beside` lacks one of them.
    """
    pairs = join(old, new)
    if len(pairs) < FEWEST:
        raise VecsmithError(
            f"{len(pairs)} texts embedded by both models are too few to plan on; embed {FEWEST} or more."
        )
    chosen = sample_rows(len(pairs), SAMPLE, seed)
    rows = pairs.source[chosen]
    trial = Trial(old.unit[rows], new.unit[pairs.target[chosen]], method, seed, len(old))
    ways, name = list(trial.ways()), ""
    if beside:
        name, trial = beside.name, trial.beside(_vectors(beside, [old.ids[row] for row in rows]))
        ways += [replace(way, name=f"{way.name}, {name} beside") for way in trial.ways()]
    learning = [
        (round(share * trial.pairs), *trial.kept(share)) for share in track(SHARES, "Fitting translators", len(SHARES))
    ]
    texts = old.texts or old.ids
    return Plan(len(pairs), len(old), method, ways, name, learning, trial.clusters([texts[row] for row in rows]))


def _vectors(beside: EmbeddingSet, ids: list[str]) -> NDArray[np.float32]:
    """Return the unit vectors of ids."""
    rows = rows_of(ids, beside.ids)
    if (rows < 0).any():
        missing = ids[int(np.argmin(rows))]
        raise VecsmithError(f"{beside.source} has no vector of {missing!r}; embed the same documents.")
    return beside.unit[rows]


def apply(
    old: EmbeddingSet, new: EmbeddingSet, path: str | Path, method: str = METHOD, seed: int = 0, force: bool = False
) -> tuple[EmbeddingSet, ScoreCalibration]:
    """Write all documents in the new model's space, and return them and what the new model's own vectors went through.

    Documents that both models embedded, the translator is fitted on; those that only the old one did are translated.
    The new model's vectors are brought to the level of these, which takes five fits more. Interrupted and called again,
    it goes on.

    Parameters
    ----------
    old : EmbeddingSet
        The documents in the old index.
    new : EmbeddingSet
        Those that the new model embedded, by id, which the old one need not know.
    method, seed
        As of `plan`.
    path : str or Path
        The folder to write.
    force : bool
        Write a new set, whatever the folder holds.

    Raises
    ------
    VecsmithError
        If the sets have no ids in common, or `path` holds something else.
    """
    fitted = translator(method, seed)
    pairs = fit_sets(fitted, old, new)
    rows = sample_rows(len(pairs), SAMPLE, seed)
    own = new.unit[pairs.target[rows]]
    level = ScoreCalibration.fit(own, cross_translate(method, old.unit[pairs.source[rows]], own, seed)[0], seed)
    return complete_set(fitted, level, old, new, path, force), level


def findings(found: Plan) -> Findings:
    """Return a plan as tables."""
    ways = [
        [
            way.name,
            f"{way.re_embedded:.0%}",
            f"{way.retention:.1%}",
            f"{max(way.interval[0], 0):.1%} – {min(way.interval[1], 1):.1%}",
        ]
        for way in found.ways
    ]
    learning = [[str(pairs), f"{queries:.1%}", f"{documents:.1%}"] for pairs, queries, documents in found.learning]
    clusters = [
        [str(each.rows), f"{each.retention:.1%}", " ".join(each.example.split())[:80]] for each in found.clusters
    ]
    about = (
        f"What each way keeps of the new model's own nDCG@10, predicted from {found.pairs:,} texts embedded by both, "
        f"of {found.documents:,}; translator {found.method}"
    )
    beside = f", {found.beside} beside" if found.beside else ""
    return Findings(
        [
            Table("ways", about, ["way", "embedded before", "keeps", "90 % of cases"], ways),
            Table(
                "learning", f"How many pairs{beside}", ["pairs", "queries translated", "documents translated"], learning
            ),
            Table("clusters", f"Where the translator is weak{beside}", ["of the sample", "keeps", "such as"], clusters),
        ]
    )
