"""The stages on Ray datasets, as steps of a pipeline of the user's own."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from vecsmith.array_types import Floats
from vecsmith.codecs import Codec
from vecsmith.distributed.stages import AssignLists, Embed, Encode, Reduce, Translate
from vecsmith.encoders import EncoderOptions
from vecsmith.encoders.base import Encoder
from vecsmith.translators import Translator

if TYPE_CHECKING:
    from ray.data import Dataset


def encode(
    dataset: "Dataset", codec: Codec | str | Path, column: str = "vector", output: str = "code", **options: Any
) -> "Dataset":
    """Encode a column of vectors as codes.

    Parameters
    ----------
    dataset : ray.data.Dataset
        Rows with a column of vectors of d floats.
    codec : Codec, str or Path
        A fitted codec; or its folder, which every node must be able to read.
    column, output : str
        Column of the vectors, and of the codes: arrays of bytes_per_vector uint8.
    **options
        Options of ``Dataset.map_batches``, such as ``compute`` and ``num_cpus``. By default, a pool of 1 to 16 actors
        works on batches of 16,384 rows.

    Returns
    -------
    ray.data.Dataset
        The rows with one more column.
    """
    return _mapped(dataset, Encode, (codec, column, output), options)


def reduce(
    dataset: "Dataset", codec: Codec | str | Path, column: str = "vector", output: str = "vector", **options: Any
) -> "Dataset":
    """Reduce a column of vectors by the reducers of a codec; parameters as for `encode`."""
    return _mapped(dataset, Reduce, (codec, column, output), options)


def translate(
    dataset: "Dataset",
    translator: Translator | str | Path,
    column: str = "vector",
    output: str = "vector",
    **options: Any,
) -> "Dataset":
    """Translate a column of vectors by a fitted translator, or its folder; other parameters as for `encode`."""
    return _mapped(dataset, Translate, (translator, column, output), options)


def assign_lists(
    dataset: "Dataset", centroids: Floats, column: str = "vector", output: str = "list", **options: Any
) -> "Dataset":
    """Assign a column of vectors to the nearest of centroids (n_lists, d); other parameters as for `encode`."""
    return _mapped(dataset, AssignLists, (centroids, column, output), options)


def embed(
    dataset: "Dataset",
    encoder: Encoder | str,
    encoder_options: EncoderOptions | None = None,
    column: str = "text",
    output: str = "vector",
    **options: Any,
) -> "Dataset":
    """Embed a column of texts as documents.

    Parameters
    ----------
    dataset : ray.data.Dataset
        Rows with a column of texts.
    encoder : Encoder or str
        The encoder or its spec, such as ``st:sentence-transformers/all-MiniLM-L6-v2``.
    encoder_options : EncoderOptions, optional
        Prompts, maximum input length and batch size.
    column, output : str
        Column of the texts, and of the vectors of d float32.
    **options
        As for `encode`; ``num_gpus=1`` gives each actor a GPU.
    """
    return _mapped(dataset, Embed, (encoder, encoder_options, column, output), {"batch_size": 1024, **options})


def _mapped(dataset: "Dataset", stage: type, arguments: tuple[Any, ...], options: dict[str, Any]) -> "Dataset":
    from ray.data import ActorPoolStrategy

    defaults = {"batch_size": 16_384, "compute": ActorPoolStrategy(min_size=1, max_size=16), "batch_format": "numpy"}
    return dataset.map_batches(stage, fn_constructor_args=arguments, **{**defaults, **options})
