"""Sets and translators: pairs of texts that two models embedded, and translated sets on disk."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import repeat
from pathlib import Path

import numpy as np

from vecsmith.embeddings import (
    EmbeddingSet,
    Pairs,
    Provenance,
    Vectors,
    content_hash,
    join,
    rows_of,
    sample_rows,
    write_set,
)
from vecsmith.encoders.load import split_spec
from vecsmith.errors import VecsmithError
from vecsmith.files import fingerprint
from vecsmith.translators.base import Floats, Translator
from vecsmith.translators.calibration import ScoreCalibration

MOST_PAIRS = 100_000
"""Pairs that a translator learns from at most, which bounds the time and memory that fitting takes."""


def fit_sets(fitted: Translator, source: EmbeddingSet, target: EmbeddingSet) -> Pairs:
    """Fit a translator to the unit vectors of two sets, joined by id, and return the pairs.

    Of more than `MOST_PAIRS` pairs it learns from a sample, drawn with the translator's seed.

    Raises
    ------
    VecsmithError
        As `join` and `Translator.fit`.
    """
    pairs = join(source, target)
    rows = sample_rows(len(pairs), MOST_PAIRS, fitted.seed)
    fitted.fit(source.unit[pairs.source[rows]], target.unit[pairs.target[rows]])
    fitted.source, fitted.target = source.provenance.space, target.provenance.space
    return pairs


def translate_set(fitted: Translator, embedded: EmbeddingSet, path: str | Path, force: bool = False) -> EmbeddingSet:
    """Translate the unit vectors of a set into a folder, block by block; interrupted and called again, it goes on.

    Parameters
    ----------
    fitted : Translator
        A fitted translator.
    embedded : EmbeddingSet
        Vectors of the model that it translates from.
    path : str or Path
        The folder: new, or with what a call with the same translator and vectors wrote before.
    force : bool
        Write a new set, whatever the folder holds.

    Returns
    -------
    EmbeddingSet
        The translated set; its provenance names both models, the translator and what it was given.

    Raises
    ------
    VecsmithError
        If the set is known to be another model's, or `path` holds something else.
    """
    provenance = _provenance(fitted, embedded, [embedded.fingerprint])

    def vectors(block: slice) -> Floats:
        return fitted.transform(embedded.unit[block])

    return write_set(path, embedded.ids, embedded.texts, provenance, vectors, _label(len(embedded)), force)


def complete_set(
    fitted: Translator,
    level: ScoreCalibration,
    embedded: EmbeddingSet,
    known: EmbeddingSet,
    path: str | Path,
    force: bool = False,
) -> EmbeddingSet:
    """Write the texts of two sets in the target model's space, like `translate_set`.

    Parameters
    ----------
    fitted : Translator
        A fitted translator.
    level : ScoreCalibration
        What the target model's own vectors go through, to be among translated ones.
    embedded : EmbeddingSet
        Vectors of the model that it translates from.
    known : EmbeddingSet
        Texts that the target model embedded; those that the other model did not come last.
    path, force
        As of `translate_set`.

    Raises
    ------
    VecsmithError
        As `translate_set`.
    """
    ids, texts, named = embedded.ids, embedded.texts, known.texts
    only_known = np.flatnonzero(rows_of(known.ids, ids) < 0)
    known_rows = np.concatenate([rows_of(ids, known.ids), only_known])
    ids = [*ids, *(known.ids[row] for row in only_known)]
    if texts is not None:
        texts = [*texts, *(named[row] if named else "" for row in only_known)]

    def vectors(block: slice) -> Floats:
        rows = known_rows[block]
        own, others = np.flatnonzero(rows >= 0), np.flatnonzero(rows < 0)
        result = np.empty((len(rows), fitted.output_dimensions_), np.float32)
        result[own] = level.transform(known.unit[rows[own]])
        result[others] = fitted.transform(embedded.unit[block.start + others])
        return result

    provenance = _provenance(fitted, embedded, [embedded.fingerprint, known.fingerprint])
    hashed = content_hash(ids, repeat("", len(ids)) if texts is None else texts)
    provenance = replace(provenance, content_hash=hashed)
    return write_set(path, ids, texts, provenance, vectors, _label(len(ids)), force)


def _label(count: int) -> str:
    return f"Translating {count} vectors"


def _provenance(fitted: Translator, embedded: EmbeddingSet, given: Sequence[str]) -> Provenance:
    """Return the provenance of translated vectors, which the fingerprints of what was given tell apart."""
    model = embedded.provenance.space
    if model and fitted.source and model != fitted.source:
        raise VecsmithError(
            f"{embedded.source} has vectors of {model}, but the translator is from {fitted.source}; "
            "use vectors of that model."
        )
    return replace(
        embedded.provenance,
        encoder=fitted.target,
        revision="",
        prompt="",
        pooling="",
        max_length=None,
        normalised=fitted.normalised_,
        dtype="float32",
        reduced_by="",
        translated_from=model or fitted.source,
        # texts and models may be the same, or not known, where vectors are not
        translator=f"{fitted.spec} {fitted.fingerprint} of {fingerprint(given)}",
    )


def query_encoder(fitted: Translator, searched: Provenance) -> str:
    """Return the encoder of queries that are translated: that of what is searched, with the new model for the old.

    It is empty where one of the models is not known.

    Parameters
    ----------
    fitted : Translator
        From the model that embeds queries to the one that embedded the documents.
    searched : Provenance
        Of the documents.

    Raises
    ------
    VecsmithError
        If the documents are known to be of other models.
    """
    models = _models(searched)
    models[_place(fitted, searched)] = fitted.source
    return "+".join(models) if all(models) else ""


def translate_queries(fitted: Translator, Q: Vectors, searched: Provenance) -> Floats:
    """Translate queries into the space of documents that an old model embedded; of several models' vectors, its block.

    Parameters
    ----------
    fitted : Translator
        From the model that embeds queries to the one that embedded the documents.
    Q : ndarray of shape (n, d)
        Unit vectors of the new model, or unit blocks in the order of the documents'.
    searched : Provenance
        Of the documents.

    Returns
    -------
    ndarray of shape (n, dimensions of the documents)
        The queries, float32.

    Raises
    ------
    VecsmithError
        If the documents are known to be of other models, or the queries have other dimensions.
    """
    start = sum(list(searched.blocks.values())[: _place(fitted, searched)])
    rest = sum(searched.blocks.values()) - fitted.output_dimensions_ if searched.blocks else 0
    if Q.shape[1] != rest + fitted.input_dimensions_:
        raise VecsmithError(
            f"Queries of {rest + fitted.input_dimensions_} dimensions can be translated here, but these have "
            f"{Q.shape[1]}; embed them with {fitted.source or 'the model that the translator is from'} in place of "
            f"{fitted.target or 'the old model'}."
        )
    end = start + fitted.input_dimensions_
    return np.hstack([Q[:, :start], fitted.transform(Q[:, start:end]), Q[:, end:]])


def _models(searched: Provenance) -> list[str]:
    """Return the models of what is searched, empty where they are not known."""
    if searched.reduced_by:
        return [searched.space]
    count, models = max(1, len(searched.blocks)), split_spec(searched.encoder)
    return models if len(models) == count else [""] * count


def _place(fitted: Translator, searched: Provenance) -> int:
    """Return which of the models of what is searched a translator translates to."""
    d = fitted.output_dimensions_
    widths = list(searched.blocks.values()) or [d]
    for place, (model, width) in enumerate(zip(_models(searched), widths, strict=True)):
        if width == d and (model == fitted.target or not (model and fitted.target)):
            return place
    raise VecsmithError(
        f"The documents are of {searched.encoder}, but the translator is to {fitted.target}; "
        "use one that translates to their model."
    )
