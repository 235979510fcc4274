"""Plan and apply the switch from one embedding model to another, from a sample that both models embedded."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from vecsmith.advise.migration_simulation import Cluster, MigrationOption, MigrationSimulation
from vecsmith.array_types import Floats
from vecsmith.embeddings import EmbeddingSet, join, rows_of, sample_rows
from vecsmith.errors import VecsmithError
from vecsmith.evaluation.translation import cross_translate
from vecsmith.progress import track
from vecsmith.translators import ScoreCalibration, complete_set, fit_sets, translator

METHOD = "canonical"
"""Spec of the default translator."""
MAX_SAMPLE_PAIRS = 20_000
"""Maximum texts embedded by both models that a plan or a score calibration uses."""
SHARES = (0.25, 0.5, 1.0)
"""Shares of the pairs on which the learning curve is measured."""
MIN_SAMPLE_PAIRS = 200
"""Minimum number of texts embedded by both models for a plan."""


@dataclass(frozen=True)
class Plan:
    """The costs and predicted retention of the options for a switch of models.

    Attributes
    ----------
    pairs, documents : int
        Number of texts that both models embedded, and of all texts that the old model embedded.
    method : str
        Spec of the translator.
    options : list of MigrationOption
        The options.
    auxiliary : str
        Name of the auxiliary model whose scores are added, or an empty string.
    learning_curve : list of (int, float, float)
        Number of pairs that a translator is fitted on, the retention with translated queries, and the retention with
        translated documents. With an auxiliary model, its scores are added.
    clusters : list of Cluster
        Clusters of documents, in ascending order of retention.
    """

    pairs: int
    documents: int
    method: str
    options: list[MigrationOption]
    auxiliary: str
    learning_curve: list[tuple[int, float, float]]
    clusters: list[Cluster]

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as content for JSON, with the keys of version 0.1."""
        content = asdict(self)
        keys = {"options": "ways", "auxiliary": "beside", "learning_curve": "learning"}
        renamed = {keys.get(name, name): value for name, value in content.items()}
        return renamed | {"intervals": [option.interval for option in self.options]}


def plan(
    old: EmbeddingSet, new: EmbeddingSet, auxiliary: EmbeddingSet | None = None, method: str = METHOD, seed: int = 0
) -> Plan:
    """Predict the retention of the new model's nDCG@10 for each option of a switch.

    Documents serve as queries, each with its own vector of the new model, and `ExpectedGain` estimates the quality of
    their rankings from the scores of the new model. Translation is cross-fitted.

    Parameters
    ----------
    old : EmbeddingSet
        The documents in the old index.
    new : EmbeddingSet
        A sample of these documents, matched by id, embedded by the new model. At most 20,000 of them are used.
    auxiliary : EmbeddingSet, optional
        The documents embedded by a third model that stays in use, such as a static one. Every option is then also
        simulated with its scores added, and compared with an index of the new model with these scores added.
    method : str
        Spec of the translator.
    seed : int
        Seed of the samples and translators.

    Raises
    ------
    VecsmithError
        If fewer than 200 texts are embedded by both models, or one of them has no vector in `auxiliary`.
    """
    pairs = join(old, new)
    if len(pairs) < MIN_SAMPLE_PAIRS:
        raise VecsmithError(
            f"{len(pairs)} texts embedded by both models are too few to plan on; embed {MIN_SAMPLE_PAIRS} or more."
        )
    sample = sample_rows(len(pairs), MAX_SAMPLE_PAIRS, seed)
    rows = pairs.source[sample]
    simulation = MigrationSimulation(old.unit[rows], new.unit[pairs.target[sample]], method, seed, len(old))
    options, name = list(simulation.options()), ""
    if auxiliary:
        name = auxiliary.name
        simulation = simulation.with_auxiliary(_vectors_of(auxiliary, [old.ids[row] for row in rows]))
        options += [replace(option, name=f"{option.name}, fused with {name}") for option in simulation.options()]
    learning_curve = [
        (round(share * simulation.pairs), *simulation.retention(share))
        for share in track(SHARES, "Fitting translators", len(SHARES))
    ]
    texts = old.texts or old.ids
    clusters = simulation.clusters([texts[row] for row in rows])
    return Plan(len(pairs), len(old), method, options, name, learning_curve, clusters)


def _vectors_of(embedded: EmbeddingSet, ids: Sequence[str]) -> Floats:
    """Return the unit vectors (n, d) of n ids."""
    rows = rows_of(ids, embedded.ids)
    if (rows < 0).any():
        missing = ids[int(np.argmin(rows))]
        raise VecsmithError(f"{embedded.source} has no vector of {missing!r}; embed the same documents.")
    return embedded.unit[rows]


def apply(
    old: EmbeddingSet, new: EmbeddingSet, path: str | Path, method: str = METHOD, seed: int = 0, force: bool = False
) -> tuple[EmbeddingSet, ScoreCalibration]:
    """Write an embedding set of all documents in the space of the new model.

    The translator is fitted on the documents that both models embedded. Documents that only the old model embedded are
    translated. The vectors of the new model are calibrated so that they score like translated ones, which takes five
    more fits. An interrupted call continues when it is repeated.

    Parameters
    ----------
    old : EmbeddingSet
        The documents in the old index.
    new : EmbeddingSet
        The documents that the new model embedded, matched by id. They may include documents that the old index lacks.
    path : str or Path
        The folder to write.
    method, seed
        As in `plan`.
    force : bool
        Whether to overwrite the folder, whatever it holds.

    Returns
    -------
    written : EmbeddingSet
        All documents in the space of the new model.
    calibration : ScoreCalibration
        The calibration of the new model's own vectors.

    Raises
    ------
    VecsmithError
        If the sets have no ids in common, or `path` holds something else.
    """
    fitted = translator(method, seed)
    pairs = fit_sets(fitted, old, new)
    rows = sample_rows(len(pairs), MAX_SAMPLE_PAIRS, seed)
    calibration = calibrate(method, old.unit[pairs.source[rows]], new.unit[pairs.target[rows]], seed)
    return complete_set(fitted, calibration, old, new, path, force), calibration


def calibrate(method: str, X: Floats, native: Floats, seed: int) -> ScoreCalibration:
    """Fit the calibration of a new model's native vectors on documents whose other vectors are translated.

    Parameters
    ----------
    method : str
        Spec of the translator.
    X, native : ndarray of shape (n, a) and (n, b), float32
        Unit vectors of n documents by the old and by the new model.
    seed : int
        Seed of the translators.
    """
    return ScoreCalibration.fit(native, cross_translate(method, X, native, seed)[0], seed)
