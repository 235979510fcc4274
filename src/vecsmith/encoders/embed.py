"""Embed texts and tasks: interrupted runs continue, and vectors are cached by model, options and texts."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Literal

from filelock import FileLock

from vecsmith.array_types import Vectors
from vecsmith.embeddings import FORMAT_VERSION, MARKER, EmbeddingSet, Provenance, fuse, write_set
from vecsmith.encoders.base import Encoder, EncoderOptions, Side
from vecsmith.encoders.fused import FusedEncoder
from vecsmith.encoders.load import load_encoder, options_by_encoder, split_spec
from vecsmith.encoders.vectors import check_same_space, ready_vectors
from vecsmith.errors import VecsmithError
from vecsmith.files import cache_folder, fingerprint
from vecsmith.outputs import occupied
from vecsmith.tasks.base import Task, Texts

Storage = Literal["float32", "float16"]


def embed_texts(
    encoder: Encoder,
    texts: Texts,
    side: Side,
    path: str | Path | None = None,
    dtype: Storage = "float32",
    force: bool = False,
) -> EmbeddingSet:
    """Embed texts into a folder; an interrupted run continues, and its files are identical to an uninterrupted run's.

    Parameters
    ----------
    encoder : Encoder
        The encoder.
    texts : Texts
        The texts.
    side : {"query", "passage"}
        Whether the texts are queries or documents.
    path : str or Path, optional
        Output folder: new, or with a complete or interrupted embedding of these texts by this encoder. Vectors that
        are in the cache are copied. Default: the cache.
    dtype : {"float32", "float16"}
        Data type of the stored vectors.
    force : bool
        Embed again and replace any content of the folder.

    Returns
    -------
    EmbeddingSet
        The finished set, memory-mapped.

    Raises
    ------
    VecsmithError
        If `path` has other content, another process is writing to it, or the vector of a text is not finite (the
        message has the row).
    """
    if isinstance(encoder, FusedEncoder):
        fused = fuse([embed_texts(part, texts, side, None, dtype) for part in encoder.parts])
        return fused if path is None else _stored(fused, Path(path), force)
    if path is None:
        return _embed_cached(encoder, texts, side, dtype)
    provenance = _provenance(encoder, texts, side, dtype)
    # a finished folder needs neither the cache nor the encoder
    in_cache = cache(lambda: None if force else _cached(provenance))

    def vectors(rows: slice) -> Vectors:
        if (cached := in_cache()) is not None:
            return cached.stored(rows.start, rows.stop)
        return encoder.encode(texts.texts[rows], side).astype(dtype, copy=False)

    label = f"Embedding {len(texts):,} texts with {encoder.spec}"
    return write_set(path, texts.ids, texts.texts, provenance, vectors, label, force)


def embed_task(
    task: Task, spec: str, options: EncoderOptions | None = None, out: str | Path | None = None, force: bool = False
) -> tuple[EmbeddingSet, EmbeddingSet]:
    """Return the vectors of a task's corpus and queries: precomputed, or embedded and cached.

    Parameters
    ----------
    task : Task
        The task.
    spec : str
        Spec of the encoder (see `load_encoder`), or ``vectors:WHERE`` for precomputed vectors (see `ready_vectors`).
        Encoders joined by ``+`` give their unit vectors side by side (see `vecsmith.embeddings.fuse`).
    options : EncoderOptions, optional
        Prompts for all encoders or per encoder, maximum input length, and batch size.
    out : str or Path, optional
        Output folder for the sets ``corpus`` and ``queries``. Default: the cache.
    force : bool
        Replace any content of ``corpus`` and ``queries``.

    Returns
    -------
    corpus, queries : EmbeddingSet
        One row per text of the task, in the same order.

    Raises
    ------
    VecsmithError
        If the encoder is unknown or does not support an option, a prompt names another encoder, or `out` has other
        content.
    """
    options = options_by_encoder(options, [spec])[spec]
    out = None if out is None else Path(out) if force else _checked(Path(out))
    parts = split_spec(spec)
    if len(parts) > 1:
        corpora, questions = zip(*(embed_task(task, part, options.of(part)) for part in parts), strict=True)
        return _placed(fuse(corpora), fuse(questions), out, force)
    options = options.of(spec)
    if spec.startswith("vectors:"):
        if (options.query_prompt, options.passage_prompt, options.max_length) != (None, None, None):
            raise VecsmithError(
                f"Precomputed vectors ({spec}) take no prompt and no --max-length; leave them out, or give prompts for "
                "other encoders as ENCODER=TEXT."
            )
        return _placed(*ready_vectors(task, spec.removeprefix("vectors:")), out, force)
    encoder = load_encoder(spec, options)
    # queries first: they are few, so that errors appear early
    queries = embed_texts(encoder, task.queries, "query", out and out / "queries", force=force)
    corpus = embed_texts(encoder, task.corpus, "passage", out and out / "corpus", force=force)
    check_same_space(corpus, queries)
    return corpus, queries


def cache_vectors(encoder: Encoder, texts: Texts, side: Side, embedded: EmbeddingSet) -> None:
    """Write vectors that a copy of the encoder computed to the cache, where `embed_texts` finds them.

    Parameters
    ----------
    encoder, texts, side
        As in `embed_texts`.
    embedded : EmbeddingSet
        The vectors of the texts, float32.
    """
    provenance = _provenance(encoder, texts, side, "float32")
    with _locked_cache(provenance) as path:
        _copied(embedded, path, provenance, f"Caching {len(embedded):,} vectors of {encoder.spec}", force=True)


def _embed_cached(encoder: Encoder, texts: Texts, side: Side, dtype: Storage) -> EmbeddingSet:
    provenance = _provenance(encoder, texts, side, dtype)
    with _locked_cache(provenance) as path:
        if (cached := _cached(provenance)) is not None:
            return cached
        is_unfinished = (path / MARKER).is_file() and not (path / "manifest.json").exists()
        if path.exists() and not is_unfinished:
            shutil.rmtree(path)  # damaged
        return embed_texts(encoder, texts, side, path, dtype)


@contextmanager
def _locked_cache(provenance: Provenance) -> Iterator[Path]:
    """Yield the folder of vectors in the cache, which no other process uses meanwhile."""
    path = _cache_path(provenance)
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f"{path.name}.lock")):
        yield path


def _cached(provenance: Provenance) -> EmbeddingSet | None:
    """Return finished vectors in the cache; None if there are none, or they are damaged."""
    with suppress(VecsmithError):
        return EmbeddingSet.open(_cache_path(provenance), verify=True)
    return None


def _cache_path(provenance: Provenance) -> Path:
    return cache_folder() / "embeddings" / fingerprint([FORMAT_VERSION, provenance.key])


def _provenance(encoder: Encoder, texts: Texts, side: Side, dtype: Storage) -> Provenance:
    return replace(encoder.provenance(side), dtype=dtype, dataset=texts.source, content_hash=texts.content_hash)


def _checked(out: Path) -> Path:
    if out.is_file() or (out.is_dir() and {file.name for file in out.glob("[!.]*")} - {"corpus", "queries"}):
        raise occupied(out)
    return out


def _placed(
    corpus: EmbeddingSet, queries: EmbeddingSet, out: Path | None, force: bool
) -> tuple[EmbeddingSet, EmbeddingSet]:
    if out is None:
        return corpus, queries
    return _stored(corpus, out / "corpus", force), _stored(queries, out / "queries", force)


def _stored(embedded: EmbeddingSet, path: Path, force: bool) -> EmbeddingSet:
    """Write an existing set to a folder."""
    written = _copied(embedded, path, embedded.provenance, f"Writing {len(embedded):,} vectors", force)
    if written.fingerprint != embedded.fingerprint:
        raise occupied(path)
    return written


def _copied(embedded: EmbeddingSet, path: Path, provenance: Provenance, description: str, force: bool) -> EmbeddingSet:
    """Write the ids, texts and vectors of a set to a folder, with the given provenance."""

    def vectors(rows: slice) -> Vectors:
        return embedded.stored(rows.start, rows.stop)

    return write_set(path, embedded.ids, embedded.texts, provenance, vectors, description, force, [embedded])
