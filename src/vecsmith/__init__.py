"""vecsmith: compress, fuse and translate embedding vectors, and measure the cost."""

from importlib.metadata import version

from vecsmith.advise.choice import auto
from vecsmith.codecs import Codec, load_codec
from vecsmith.embeddings import EmbeddingSet
from vecsmith.encoders import EncoderOptions, embed_task, load_encoder
from vecsmith.errors import VecsmithError
from vecsmith.evaluation.compare import compare
from vecsmith.evaluation.results import Result
from vecsmith.index import Index
from vecsmith.tasks import Task, load_task
from vecsmith.translators import Translator, load_translator, translator

__version__ = version("vecsmith")

codec = Codec
"""Create a codec from a spec: ``vecsmith.codec("pca192,binary")``."""

__all__ = [
    "Codec",
    "EmbeddingSet",
    "EncoderOptions",
    "Index",
    "Result",
    "Task",
    "Translator",
    "VecsmithError",
    "auto",
    "codec",
    "compare",
    "embed_task",
    "load_codec",
    "load_encoder",
    "load_task",
    "load_translator",
    "translator",
]
