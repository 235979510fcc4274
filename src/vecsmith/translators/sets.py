"""Fitting translators on embedding sets, and writing translated sets."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from vecsmith.array_types import Floats, Vectors
from vecsmith.embeddings import (
    ConcatenatedRows,
    EmbeddingSet,
    Pairs,
    Provenance,
    content_hash,
    join,
    rows_of,
    sample_rows,
    write_set,
)
from vecsmith.encoders.load import split_spec
from vecsmith.errors import VecsmithError
from vecsmith.files import fingerprint
from vecsmith.translators.base import Translator
from vecsmith.translators.calibration import ScoreCalibration

MAX_PAIRS = 100_000
"""Maximum number of training pairs, which bounds the time and memory of fitting."""


def fit_sets(fitted: Translator, source: EmbeddingSet, target: EmbeddingSet) -> Pairs:
    """Fit a translator to the unit vectors of two sets, joined by id, and return the pairs.

    At most `MAX_PAIRS` pairs are used, drawn with the seed of the translator.

    Parameters
    ----------
    fitted : Translator
        The translator, which is fitted in place.
    source, target : EmbeddingSet
        Vectors of the two models.

    Raises
    ------
    VecsmithError
        As for `join` and `Translator.fit`.
    """
    pairs = join(source, target)
    rows = sample_rows(len(pairs), MAX_PAIRS, fitted.seed)
    fitted.fit(source.unit[pairs.source[rows]], target.unit[pairs.target[rows]])
    fitted.source, fitted.target = source.provenance.space, target.provenance.space
    return pairs


def translate_set(fitted: Translator, embedded: EmbeddingSet, path: str | Path, force: bool = False) -> EmbeddingSet:
    """Write a translated set to a folder, block by block. An interrupted call is resumed by the next one.

    Parameters
    ----------
    fitted : Translator
        A fitted translator.
    embedded : EmbeddingSet
        Vectors of the source model, which are normalized.
    path : str or Path
        A new folder, or one written by a call with the same translator and vectors.
    force : bool
        Replace the folder, whatever it contains.

    Returns
    -------
    EmbeddingSet
        The translated set; its provenance names both models, the translator and the source vectors.

    Raises
    ------
    VecsmithError
        If the set is known to be of another model than the source, or `path` contains anything else.
    """
    provenance = translated_provenance(fitted, embedded.source, embedded.provenance, [embedded.fingerprint])

    def vectors(block: slice) -> Floats:
        return fitted.transform(embedded.unit[block])

    label = _label(len(embedded))
    return write_set(path, embedded.ids, embedded.texts, provenance, vectors, label, force, [embedded])


def complete_set(
    fitted: Translator,
    calibration: ScoreCalibration,
    embedded: EmbeddingSet,
    known: EmbeddingSet,
    path: str | Path,
    force: bool = False,
) -> EmbeddingSet:
    """Write the texts of two sets in the target space: calibrated native vectors if known, otherwise translated ones.

    Parameters
    ----------
    fitted : Translator
        A fitted translator.
    calibration : ScoreCalibration
        Calibration of the target model's native vectors.
    embedded : EmbeddingSet
        Vectors of the source model, which are normalized.
    known : EmbeddingSet
        Native vectors of the target model. Texts that `embedded` does not have come last.
    path, force
        As in `translate_set`.

    Raises
    ------
    VecsmithError
        See `translate_set`.
    """
    only_known = rows_of(known.ids, embedded.ids) < 0
    known_rows = np.concatenate([rows_of(embedded.ids, known.ids), np.flatnonzero(only_known)])
    all_rows = ConcatenatedRows(
        [embedded.rows, known.rows], np.concatenate([np.ones(len(embedded), np.bool_), only_known])
    )

    def vectors(block: slice) -> Floats:
        rows = known_rows[block]
        native, others = np.flatnonzero(rows >= 0), np.flatnonzero(rows < 0)
        result = np.empty((len(rows), fitted.output_dimensions_), np.float32)
        result[native] = calibration.transform(known.unit[rows[native]])
        result[others] = fitted.transform(embedded.unit[block.start + others])
        return result

    provenance = translated_provenance(
        fitted, embedded.source, embedded.provenance, [embedded.fingerprint, known.fingerprint]
    )
    provenance = replace(provenance, content_hash=content_hash(all_rows.ids, all_rows.texts))
    label, sources = _label(len(all_rows)), [embedded, known]
    return write_set(path, all_rows.ids, all_rows.texts, provenance, vectors, label, force, sources)


def _label(count: int) -> str:
    return f"Translating {count} vectors"


def translated_provenance(fitted: Translator, source: str, provenance: Provenance, given: Sequence[str]) -> Provenance:
    """Return the provenance of translated vectors.

    Parameters
    ----------
    fitted : Translator
        The translator.
    source : str
        Name of the vectors to translate, for errors.
    provenance : Provenance
        Their provenance.
    given : sequence of str
        Fingerprints of the input sets.

    Raises
    ------
    VecsmithError
        If the vectors are known to be of another model than the translator takes.
    """
    model = provenance.space
    if model and fitted.source and model != fitted.source:
        raise VecsmithError(
            f"{source} has vectors of {model}, but the translator is from {fitted.source}; use vectors of that model."
        )
    return replace(
        provenance,
        encoder=fitted.target,
        revision="",
        prompt="",
        pooling="",
        max_length=None,
        normalised=fitted.normalised_,
        dtype="float32",
        reduced_by="",
        translated_from=model or fitted.source,
        # different vectors may have the same texts, and models that are unknown or the same
        translator=f"{fitted.spec} {fitted.fingerprint} of {fingerprint(given)}",
    )


def query_encoder(fitted: Translator, searched: Provenance) -> str:
    """Return the encoder of queries to translate: the encoder of the documents with the new model in place of the old.

    The result is empty if one of the models is unknown.

    Parameters
    ----------
    fitted : Translator
        Translator from the model of the queries to a model of the documents.
    searched : Provenance
        Provenance of the documents.

    Raises
    ------
    VecsmithError
        If the documents are known to be of other models.
    """
    if _maps_all(fitted, searched):
        return fitted.source
    models = _models(searched)
    models[_place(fitted, searched)] = fitted.source
    return "+".join(models) if all(models) else ""


def translate_queries(fitted: Translator, Q: Vectors, searched: Provenance) -> Floats:
    """Translate queries into the space of the documents.

    Of fused queries, only the block of the new model is translated, unless the translator is from all the models.

    Parameters
    ----------
    fitted : Translator
        Translator from the model of the queries to a model of the documents.
    Q : ndarray of shape (n, d)
        Unit vectors of the new model, or concatenated unit vectors in the order of the documents' models.
    searched : Provenance
        Provenance of the documents.

    Returns
    -------
    ndarray of shape (n, dimensions of the documents)
        The queries, float32.

    Raises
    ------
    VecsmithError
        If the documents are known to be of other models, or the queries have the wrong dimensions.
    """
    if _maps_all(fitted, searched) and Q.shape[1] == fitted.input_dimensions_:
        return fitted.transform(Q)
    start = sum(list(searched.blocks.values())[: _place(fitted, searched)])
    rest = sum(searched.blocks.values()) - fitted.output_dimensions_ if searched.blocks else 0
    if Q.shape[1] != rest + fitted.input_dimensions_:
        raise VecsmithError(
            f"The queries must have {rest + fitted.input_dimensions_} dimensions to be translated, but they have "
            f"{Q.shape[1]}; embed them with {fitted.source or 'the model that the translator is from'} in place of "
            f"{fitted.target or 'the old model'}."
        )
    end = start + fitted.input_dimensions_
    return np.hstack([Q[:, :start], fitted.transform(Q[:, start:end]), Q[:, end:]])


def _maps_all(fitted: Translator, searched: Provenance) -> bool:
    """Return whether a translator maps to the vectors of all fused models, as an adapter of fused vectors does."""
    fits = len(searched.blocks) > 1 and fitted.output_dimensions_ == sum(searched.blocks.values())
    return fits and (fitted.target == searched.space or not (fitted.target and searched.space))


def _models(searched: Provenance) -> list[str]:
    """Return the names of the documents' models; empty strings if unknown."""
    if searched.reduced_by:
        return [searched.space]
    count, models = max(1, len(searched.blocks)), split_spec(searched.encoder)
    return models if len(models) == count else [""] * count


def _place(fitted: Translator, searched: Provenance) -> int:
    """Return the position of the translator's target among the documents' models."""
    d = fitted.output_dimensions_
    widths = list(searched.blocks.values()) or [d]
    for place, (model, width) in enumerate(zip(_models(searched), widths, strict=True)):
        if width == d and (model == fitted.target or not (model and fitted.target)):
            return place
    raise VecsmithError(
        f"The documents are of {searched.encoder}, but the translator is to {fitted.target}; "
        "use one that translates to their model."
    )
