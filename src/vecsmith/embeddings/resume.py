"""Writing an embedding set shard by shard: one writer at a time, and an interrupted one is resumed."""

from collections.abc import Callable, Sequence
from pathlib import Path

from vecsmith.embeddings.checks import Vectors
from vecsmith.embeddings.embedding_set import EmbeddingSet
from vecsmith.embeddings.provenance import Provenance
from vecsmith.embeddings.writer import EmbeddingWriter
from vecsmith.errors import VecsmithError
from vecsmith.outputs import follow, only_writer
from vecsmith.progress import track


def write_set(
    path: str | Path,
    ids: Sequence[str],
    texts: Sequence[str] | None,
    provenance: Provenance,
    vectors: Callable[[slice], Vectors],
    description: str,
    force: bool = False,
) -> EmbeddingSet:
    """Write an embedding set block by block; killed and called again, it resumes and ends with the same bytes.

    Parameters
    ----------
    path : str or Path
        The folder: new, or with the same set, finished or not.
    ids, texts, provenance
        As of `EmbeddingWriter`.
    vectors : callable
        Returns the vectors (rows, d) of a slice of rows; called in the order of the rows.
    description : str
        The label of the progress bar.
    force : bool
        Write a new set, whatever the folder holds.

    Returns
    -------
    EmbeddingSet
        The finished set, memory-mapped.

    Raises
    ------
    VecsmithError
        If `path` holds something else, or another process writes to it at this moment.
    """
    folder = follow(Path(path))
    with only_writer(folder):
        if (folder / "manifest.json").is_file() and not force:
            finished = EmbeddingSet.open(folder)
            if finished.provenance.key != provenance.key:
                raise VecsmithError(
                    f"{path} already holds other vectors; give another folder, or --force (force=True) to replace them."
                )
            return finished
        writer = EmbeddingWriter(folder, ids, texts, provenance, force)
        for rows in track(writer.remaining, description, len(writer.remaining)):
            writer.write(vectors(rows))
        writer.finish()
    return EmbeddingSet.open(folder)
