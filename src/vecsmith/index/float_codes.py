"""Embedding sets as codes of the codec ``float32``, for functions that take codes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from vecsmith.codecs import Codec
from vecsmith.embeddings import SUFFIXES, EmbeddingSet
from vecsmith.index.code_set import CodeSet
from vecsmith.manifests import is_of_kind


@contextmanager
def codes_of(path: str | Path) -> Iterator[CodeSet]:
    """Open codes, or an embedding set as codes of ``float32``.

    The codes of an embedding set lie in a temporary folder, which is deleted when the context ends.

    Raises
    ------
    VecsmithError
        As for `CodeSet.open` or `EmbeddingSet.open`.
    """
    if not (Path(path).suffix in SUFFIXES or is_of_kind(Path(path) / "manifest.json", "embedding set")):
        yield CodeSet.open(path)
        return
    embedded = EmbeddingSet.open(path)
    codec = Codec("float32").fit(embedded.unit[:1])
    codec.blocks = dict(embedded.blocks)
    with TemporaryDirectory(prefix="vecsmith-") as folder:
        yield CodeSet.encode(codec, embedded, Path(folder) / "codes")
