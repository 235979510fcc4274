"""Stages: classes that transform a batch of columns, for Ray Data's ``map_batches`` or a plain loop.

A batch is a dictionary of arrays with one row per document. A stage reads a column and returns the batch with one more
column. It is made once in each process, where it loads its model or fitted weights.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from vecsmith.array_types import Floats
from vecsmith.codecs import Codec, load_codec
from vecsmith.embeddings import normalize
from vecsmith.encoders import EncoderOptions, load_encoder
from vecsmith.encoders.base import Encoder
from vecsmith.index.inverted_lists import InvertedLists
from vecsmith.translators import Translator, load_translator

Batch = dict[str, Any]
"""Columns by name: arrays of n rows."""


class Stage(Protocol):
    """A function of a batch that keeps the number and the order of rows."""

    column: str
    output: str

    def __call__(self, batch: Batch) -> Batch:
        """Return the batch with one more column."""


class Encode:
    """Encode vectors as codes.

    Parameters
    ----------
    codec : Codec, str or Path
        A fitted codec, or its folder.
    column, output : str
        Column of the vectors (n, d), and of the codes (n, bytes_per_vector), uint8.

    Examples
    --------
    >>> import numpy as np, vecsmith
    >>> from vecsmith.distributed import Encode
    >>> X = np.random.default_rng(0).standard_normal((1000, 64)).astype("float32")
    >>> stage = Encode(vecsmith.codec("binary").fit(X))
    >>> stage({"id": np.arange(10), "vector": X[:10]})["code"].shape
    (10, 8)
    """

    def __init__(self, codec: Codec | str | Path, column: str = "vector", output: str = "code") -> None:
        self.codec = codec if isinstance(codec, Codec) else load_codec(codec)
        self.column, self.output = column, output

    def __call__(self, batch: Batch) -> Batch:
        return {**batch, self.output: self.codec.encode(as_matrix(batch[self.column]))}


class Reduce(Encode):
    """Reduce vectors (n, d) to (n, k), float32, by the reducers of a codec; parameters as for `Encode`."""

    def __init__(self, codec: Codec | str | Path, column: str = "vector", output: str = "vector") -> None:
        super().__init__(codec, column, output)

    def __call__(self, batch: Batch) -> Batch:
        return {**batch, self.output: self.codec.transform(as_matrix(batch[self.column]))}


class Translate:
    """Translate vectors of one model into the space of another.

    Parameters
    ----------
    translator : Translator, str or Path
        A fitted translator, or its folder.
    column, output : str
        Column of the vectors (n, d), and of the translated vectors, float32.
    """

    def __init__(self, translator: Translator | str | Path, column: str = "vector", output: str = "vector") -> None:
        self.translator = translator if isinstance(translator, Translator) else load_translator(translator)
        self.column, self.output = column, output

    def __call__(self, batch: Batch) -> Batch:
        return {**batch, self.output: self.translator.transform(normalize(as_matrix(batch[self.column])))}


class AssignLists:
    """Assign vectors to inverted lists: each to the centroid with the largest inner product.

    Parameters
    ----------
    centroids : ndarray of shape (n_lists, d), float32
        Unit vectors, as `vecsmith.index.inverted_lists.learn_centroids` learns them from a sample.
    column, output : str
        Column of the vectors (n, d), and of the list numbers (n,), int32.
    """

    def __init__(self, centroids: Floats, column: str = "vector", output: str = "list") -> None:
        self.lists = InvertedLists(centroids, np.empty(0, np.int32))
        self.column, self.output = column, output

    def __call__(self, batch: Batch) -> Batch:
        numbers = self.lists.nearest(normalize(as_matrix(batch[self.column])), 1)[:, 0]
        return {**batch, self.output: numbers.astype(np.int32)}


class Embed:
    """Embed texts as documents.

    Parameters
    ----------
    encoder : Encoder or str
        The encoder or its spec, such as ``st:sentence-transformers/all-MiniLM-L6-v2``.
    options : EncoderOptions, optional
        Prompts, maximum input length and batch size.
    column, output : str
        Column of the texts, and of the vectors (n, d), float32.
    """

    def __init__(
        self,
        encoder: Encoder | str,
        options: EncoderOptions | None = None,
        column: str = "text",
        output: str = "vector",
    ) -> None:
        self.encoder = load_encoder(encoder, options) if isinstance(encoder, str) else encoder
        self.column, self.output = column, output

    def __call__(self, batch: Batch) -> Batch:
        texts: Sequence[str] = list(map(str, batch[self.column]))
        return {**batch, self.output: self.encoder.encode(texts, "passage")}


def as_matrix(column: Any) -> Floats:
    """Return a column of vectors as an array (n, d), also if it is an array of n lists, as Ray Data may give it."""
    array = np.asarray(column)
    return np.stack(list(array)) if array.dtype == object else array
