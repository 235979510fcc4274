"""Embedding texts: resumable, and cached so that no model ever gets another's vectors."""

import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Literal

from filelock import FileLock

from vecsmith.embeddings import FORMAT_VERSION, MARKER, EmbeddingSet, EmbeddingWriter, Provenance, fuse
from vecsmith.encoders.base import Encoder, EncoderOptions, Side
from vecsmith.encoders.fused import FusedEncoder
from vecsmith.encoders.load import load_encoder, options_by_encoder, split_spec
from vecsmith.encoders.vectors import check_same_space, ready_vectors
from vecsmith.errors import VecsmithError
from vecsmith.files import cache_folder, fingerprint
from vecsmith.progress import track
from vecsmith.tasks.base import Task, Texts

Storage = Literal["float32", "float16"]


def embed_texts(
    encoder: Encoder, texts: Texts, side: Side, path: str | Path | None = None, dtype: Storage = "float32"
) -> EmbeddingSet:
    """Embed texts into a folder; killed at any moment and called again, it goes on and ends with the same bytes.

    Parameters
    ----------
    encoder : Encoder
        What embeds.
    texts : Texts
        What is embedded.
    side : {"query", "passage"}
        On which side of a search they are.
    path : str or Path, optional
        The folder: new, or with an embedding of these texts by this encoder, finished or not. The cache by default.
    dtype : {"float32", "float16"}
        How the vectors are stored.

    Returns
    -------
    EmbeddingSet
        The finished set, memory-mapped.

    Raises
    ------
    VecsmithError
        If `path` holds something else, which is left alone, or a text gets no usable vector (which row).
    """
    if isinstance(encoder, FusedEncoder):
        fused = fuse([embed_texts(part, texts, side, None, dtype) for part in encoder.parts])
        return fused if path is None else _stored(fused, Path(path))
    if path is None:
        return _embed_cached(encoder, texts, side, dtype)
    path = Path(path)
    provenance = _provenance(encoder, texts, side, dtype)
    if (path / "manifest.json").is_file():
        finished = EmbeddingSet.open(path)
        if finished.provenance.key != provenance.key:
            raise VecsmithError(
                f"{path} already holds an embedding of other texts or by other means; give another folder."
            )
        return finished
    writer = EmbeddingWriter(path, texts.ids, texts.texts, provenance)
    for rows in track(writer.remaining, f"{encoder.spec}, {len(texts)} texts", len(writer.remaining)):
        writer.write(encoder.encode(texts.texts[rows], side).astype(dtype, copy=False))
    writer.finish()
    return EmbeddingSet.open(path)


def embed_task(
    task: Task, spec: str, options: EncoderOptions | None = None, out: str | Path | None = None
) -> tuple[EmbeddingSet, EmbeddingSet]:
    """Return the vectors of a task's corpus and queries: ready ones, or embedded once and cached.

    Parameters
    ----------
    task : Task
        The task.
    spec : str
        The encoder, as of `load_encoder`, or ``vectors:WHERE`` for ready vectors, as of `ready_vectors`; several
        joined by ``+`` give their unit vectors side by side, as of `vecsmith.embeddings.fuse`.
    options : EncoderOptions, optional
        Prompts, of all or per encoder, length and batch size.
    out : str or Path, optional
        A folder for the sets, ``corpus`` and ``queries``, in place of the cache.

    Returns
    -------
    corpus, queries : EmbeddingSet
        Row by row as the task's texts.

    Raises
    ------
    VecsmithError
        If there is no such encoder, it cannot do what `options` ask, they have a prompt of another encoder, or `out`
        holds something else.
    """
    options = options_by_encoder(options, [spec])[spec]
    out = _checked(Path(out)) if out is not None else None
    parts = split_spec(spec)
    if len(parts) > 1:
        corpora, questions = zip(*(embed_task(task, part, options.of(part)) for part in parts), strict=True)
        return _placed(fuse(corpora), fuse(questions), out)
    options = options.of(spec)
    if spec.startswith("vectors:"):
        if (options.query_prompt, options.passage_prompt, options.max_length) != (None, None, None):
            raise VecsmithError(
                f"Ready vectors ({spec}) take no prompt and no --max-length; leave them out, or give prompts of other "
                "encoders as ENCODER=TEXT."
            )
        return _placed(*ready_vectors(task, spec.removeprefix("vectors:")), out)
    encoder = load_encoder(spec, options)
    # the few queries first: what is wrong shows soon
    queries = embed_texts(encoder, task.queries, "query", out and out / "queries")
    corpus = embed_texts(encoder, task.corpus, "passage", out and out / "corpus")
    check_same_space(corpus, queries)
    return corpus, queries


def _embed_cached(encoder: Encoder, texts: Texts, side: Side, dtype: Storage) -> EmbeddingSet:
    key = fingerprint([FORMAT_VERSION, _provenance(encoder, texts, side, dtype).key])
    path = cache_folder() / "embeddings" / key
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f"{path.name}.lock")):
        with suppress(VecsmithError):
            return EmbeddingSet.open(path)
        is_unfinished = (path / MARKER).is_file() and not (path / "manifest.json").exists()
        if path.exists() and not is_unfinished:
            shutil.rmtree(path)  # damaged
        return embed_texts(encoder, texts, side, path, dtype)


def _provenance(encoder: Encoder, texts: Texts, side: Side, dtype: Storage) -> Provenance:
    return replace(encoder.provenance(side), dtype=dtype, dataset=texts.source, content_hash=texts.content_hash)


def _checked(out: Path) -> Path:
    if out.is_file() or (out.is_dir() and {file.name for file in out.glob("[!.]*")} - {"corpus", "queries"}):
        raise VecsmithError(f"{out} already holds something else; give another folder.")
    return out


def _placed(corpus: EmbeddingSet, queries: EmbeddingSet, out: Path | None) -> tuple[EmbeddingSet, EmbeddingSet]:
    return (corpus, queries) if out is None else (_stored(corpus, out / "corpus"), _stored(queries, out / "queries"))


def _stored(embedded: EmbeddingSet, path: Path) -> EmbeddingSet:
    """Save a set where it is not saved already, and open it."""
    if (path / "manifest.json").is_file():
        finished = EmbeddingSet.open(path)
        if finished.provenance.key == embedded.provenance.key:
            return finished
    embedded.save(path)
    return EmbeddingSet.open(path)
