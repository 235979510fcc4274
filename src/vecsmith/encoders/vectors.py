"""Precomputed vectors of a task, one per text, from files or embedding sets."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from vecsmith.embeddings import EmbeddingSet, Provenance, Shards, rows_of
from vecsmith.embeddings.vector_files import SUFFIXES, read_vectors
from vecsmith.encoders.base import ENCODERS, Encoder, EncoderOptions
from vecsmith.errors import VecsmithError, unknown
from vecsmith.plugins import Loader
from vecsmith.tasks.base import Task, Texts


def ready_vectors(task: Task, where: str) -> tuple[EmbeddingSet, EmbeddingSet]:
    """Read the precomputed vectors of a task's corpus and queries.

    The vectors of the corpus and of the queries are each in a file (see `read_vectors`) or an `EmbeddingSet`. Rows with
    ids are matched to the texts by id; rows without ids must be in the order of the texts. An ``about.json`` in the
    folder of a file may give its ``model``, ``dimensions`` and ``max_seq_length``.

    Parameters
    ----------
    task : Task
        The task.
    where : str
        NAME for ``vectors/NAME`` in the task's folder; a folder with ``corpus`` and ``queries``; or two paths,
        ``CORPUS,QUERIES``.

    Returns
    -------
    corpus, queries : EmbeddingSet
        One row per text of the task, in the same order.

    Raises
    ------
    VecsmithError
        If the vectors are missing or damaged, do not match the texts, or come from two models.
    """
    corpus, queries = (
        _read_side(path, texts)
        for path, texts in zip(_find_sides(task, where), (task.corpus, task.queries), strict=True)
    )
    check_same_space(corpus, queries)
    for side, texts in ((corpus, task.corpus), (queries, task.queries)):
        provenance = side.provenance
        side.provenance = replace(
            provenance, encoder=provenance.encoder or f"vectors:{where}", dataset=provenance.dataset or texts.source
        )
    return corpus, queries


def check_same_space(corpus: EmbeddingSet, queries: EmbeddingSet) -> None:
    """Check that queries and documents have the same dimensions and, where the provenance names it, the same model.

    Raises
    ------
    VecsmithError
        If they differ.
    """
    if corpus.dimensions != queries.dimensions:
        raise VecsmithError(
            f"{corpus.source} has {corpus.dimensions} dimensions but {queries.source} has {queries.dimensions}; "
            "use one model for both."
        )
    if not (corpus.provenance.encoder and queries.provenance.encoder):
        return
    for name in ("encoder", "revision", "pooling", "max_length", "reduced_by"):
        theirs, ours = getattr(corpus.provenance, name), getattr(queries.provenance, name)
        if theirs != ours:
            raise VecsmithError(
                f"{corpus.source} and {queries.source} come from different models ({name.replace('_', ' ')} {theirs!r} "
                f"and {ours!r}); use one model for both."
            )


def _find_sides(task: Task, where: str) -> tuple[Path, Path]:
    ready = task.folder / "vectors" if task.folder else None
    if where and ready and (ready / where).is_dir():
        folder = ready / where
    elif where and Path(where).is_dir():
        folder = Path(where)
    elif "," in where:
        corpus, _, queries = where.partition(",")
        return Path(corpus), Path(queries)
    else:
        names = sorted(path.name for path in ready.iterdir() if path.is_dir()) if ready and ready.is_dir() else []
        raise unknown(f"precomputed vectors of {task.name}", where, names)
    return _find_side(folder, "corpus"), _find_side(folder, "queries")


def _find_side(folder: Path, side: str) -> Path:
    names = [side, *(side + suffix for suffix in SUFFIXES)]
    existing = next((folder / name for name in names if (folder / name).exists()), None)
    if existing is None:
        raise VecsmithError(f"{folder} has no {', '.join(names[1:])}, nor an embedding set {side}; add one of them.")
    return existing


def _read_side(path: Path, texts: Texts) -> EmbeddingSet:
    ids: Sequence[str]
    if path.is_dir():
        stored = EmbeddingSet.open(path, verify=True)
        shards, ids, provenance = stored.shards, stored.ids, stored.provenance
    else:
        vectors, ids_in_file, _ = read_vectors(path)
        shards, ids, provenance = Shards([vectors]), ids_in_file or texts.ids, _read_about(path, vectors.shape[1])
    shards = _in_order_of(texts, shards, ids, path)
    provenance = replace(provenance, content_hash=texts.content_hash)
    return EmbeddingSet(shards, texts.ids, texts.texts, provenance, str(path))


def _in_order_of(texts: Texts, shards: Shards, ids: Sequence[str], path: Path) -> Shards:
    if shards.rows != len(texts):
        raise VecsmithError(
            f"{path} has {shards.rows} vectors but {texts.source} has {len(texts)} texts; give one vector per text."
        )
    if ids == texts.ids:
        return shards
    rows = rows_of(texts.ids, ids)
    if (rows < 0).any():
        # an embedding set from a file without ids has row numbers as ids, in the order of the texts
        if ids == [str(row) for row in range(len(texts))]:
            return shards
        missing = texts.ids[int(np.argmin(rows))]
        raise VecsmithError(f"{path} has no vector for the id {missing!r} of {texts.source}; embed this text too.")
    return Shards([shards.read(rows)])


def _read_about(path: Path, dimensions: int) -> Provenance:
    """Read the provenance of a file of vectors from ``about.json`` in its folder."""
    file = path.parent / "about.json"
    if not file.is_file():
        return Provenance()
    try:
        about = json.loads(file.read_text(encoding="utf-8"))
        encoder, length, said = str(about.get("model", "")), about.get("max_seq_length"), about.get("dimensions")
    except (ValueError, AttributeError) as error:
        raise VecsmithError(f"{file} is not a JSON object ({error}); correct or remove it.") from error
    if said not in (None, dimensions):
        raise VecsmithError(
            f"{path} has {dimensions} dimensions, but {file.name} in its folder says {said}; correct one of them."
        )
    return Provenance(encoder=encoder, max_length=length)


def _refuse_texts(name: str, options: EncoderOptions) -> Encoder:
    raise VecsmithError(
        f"vectors:{name} names precomputed vectors of a task and cannot embed texts; give another encoder."
    )


ENCODERS["vectors"] = Loader(
    "vectors:NAME",
    "precomputed vectors: vectors/NAME in the task's folder, a folder, or CORPUS_FILE,QUERIES_FILE",
    _refuse_texts,
)
