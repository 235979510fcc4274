"""Apply a migration to vectors in many files."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from vecsmith.advise.migration import MAX_SAMPLE_PAIRS, METHOD, calibrate
from vecsmith.array_types import Floats
from vecsmith.distributed.engines import Engine, LocalEngine
from vecsmith.distributed.sources import Source
from vecsmith.distributed.stages import Batch, as_matrix
from vecsmith.distributed.work import VectorsOf
from vecsmith.distributed.writing import Written, write_vectors
from vecsmith.embeddings import EmbeddingSet, normalize, rows_of, sample_rows
from vecsmith.errors import VecsmithError
from vecsmith.translators import ScoreCalibration, Translator, translator
from vecsmith.translators.sets import MAX_PAIRS, translated_provenance


class Migrate:
    """Give documents the vectors of a new model: calibrated native ones where they are known, and translated ones.

    Parameters
    ----------
    translator : Translator
        Fitted translator from the old model to the new one.
    ids : sequence of str
        Ids of the documents that the new model embedded.
    vectors : ndarray of shape (n, d), float32
        Their calibrated vectors.
    """

    column = output = "vector"

    def __init__(self, translator: Translator, ids: Sequence[str], vectors: Floats) -> None:
        self.translator, self.ids, self.vectors = translator, list(ids), vectors

    def __call__(self, batch: Batch) -> Batch:
        """Replace the column ``vector`` of a batch with the column ``id``."""
        result = self.translator.transform(normalize(as_matrix(batch["vector"])))
        known = rows_of(batch["id"], self.ids)
        native = np.flatnonzero(known >= 0)
        result[native] = self.vectors[known[native]]
        return {**batch, "vector": result}


def migrate(
    old: Source,
    new: EmbeddingSet,
    out: str | Path,
    method: str = METHOD,
    seed: int = 0,
    engine: Engine | None = None,
    force: bool = False,
) -> tuple[Written, ScoreCalibration]:
    """Write the vectors of all documents in the space of a new model; see `vecsmith.advise.migration.apply`.

    Parameters
    ----------
    old : Source
        Vectors of all documents by the old model.
    new : EmbeddingSet
        Vectors of some of these documents by the new model, matched by id.
    out, engine, force
        As for `vecsmith.distributed.writing.encode`.
    method, seed
        Spec of the translator, and seed of the samples and the translator.

    Raises
    ------
    VecsmithError
        If a document of `new` is not among the old ones, and as for `encode`.
    """
    engine = engine or LocalEngine()
    count, ids = len(old.shards), new.ids[:]
    found = list(engine.run(VectorsOf(list(old.shards), pa.array(ids)), count, "Reading vectors of both models"))
    old_ids = [id_ for names, _ in found for id_ in names]
    rows = rows_of(ids, old_ids)
    if (rows < 0).any():
        raise VecsmithError(
            f"{new.source} has {int((rows < 0).sum())} documents that {old.where} lacks, the first with the id "
            f"{ids[int(np.argmin(rows))]!r}; leave them out, or migrate without --engine."
        )
    vectors, drawn = (
        np.concatenate([block for _, own in found for block in own]),
        sample_rows(len(ids), MAX_PAIRS, seed),
    )
    X, native = normalize(vectors[rows[drawn]]), new.unit[drawn]
    fitted = translator(method, seed).fit(X, native)
    calibration = calibrate(method, X[:MAX_SAMPLE_PAIRS], native[:MAX_SAMPLE_PAIRS], seed)
    fitted.source, fitted.target = old.provenance.space, new.provenance.space
    provenance = replace(translated_provenance(fitted, old.where, old.provenance, [new.fingerprint]), content_hash="")
    stage = Migrate(fitted, ids, calibration.transform(new.unit[:]))
    return write_vectors(stage, old, out, provenance, engine, force), calibration
