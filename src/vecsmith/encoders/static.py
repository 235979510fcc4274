"""The built-in encoder, which averages WordLlama's token vectors over a text.

The table (32,000 × 256, float16) and the tokenizer are files of the ``wordllama`` package. The package is not imported,
because its import configures logging and its loader may download files.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file
from scipy.sparse import csr_array
from tokenizers import Tokenizer

from vecsmith.embeddings import Provenance, normalize
from vecsmith.encoders.base import ENCODERS, Encoder, EncoderOptions, Side
from vecsmith.errors import VecsmithError
from vecsmith.plugins import Loader

BATCH_TEXTS = 1024
"""Default number of texts that are tokenized at a time."""


@dataclass
class StaticEncoder(Encoder):
    """Normalized mean of the token vectors in the WordLlama table (l2_supercat, 256 dimensions).

    An empty text has no tokens, so its vector is zero. The table is case-sensitive and has few words in upper case.
    Therefore a text without lower-case letters is lower-cased first; a prompt is not. Lower-casing all texts loses
    more than it gains (``benchmarks/results/upper-case.md``).

    Parameters
    ----------
    options : EncoderOptions
        Prompts and batch size. `max_length` is refused, because the input length is not limited.

    Raises
    ------
    VecsmithError
        If `options` sets a `max_length`.

    References
    ----------
    https://github.com/dleemiller/WordLlama
    """

    options: EncoderOptions
    spec: str = "static"

    def __post_init__(self) -> None:
        if self.options.max_length is not None:
            raise VecsmithError("The static encoder accepts texts of any length; leave --max-length out.")

    def provenance(self, side: Side) -> Provenance:
        return Provenance(
            encoder=self.spec,
            revision=f"wordllama {version('wordllama')}, l2_supercat_256, upper-case texts lower-cased",
            prompt=self.options.prompt(side) or "",
            pooling="mean",
            normalised=True,
        )

    def encode(self, texts: Sequence[str], side: Side) -> NDArray[np.float32]:
        prompt = self.options.prompt(side) or ""
        size = self.options.batch_size or BATCH_TEXTS
        batches = [texts[start : start + size] for start in range(0, len(texts), size)]
        prompted = ([prompt + _fold_upper_case(text) for text in batch] for batch in batches)
        return np.concatenate([self._encode_batch(batch) for batch in prompted])

    def _encode_batch(self, texts: list[str]) -> NDArray[np.float32]:
        encodings = self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        tokens = np.fromiter((token for encoding in encodings for token in encoding.ids), np.int64)
        ends = np.cumsum([0, *(len(encoding.ids) for encoding in encodings)])
        # The sum has the same direction as the mean. A sparse product is three times as fast as numpy.add.reduceat
        # and does not copy rows of the table.
        counts = csr_array((np.ones(len(tokens), np.float32), tokens, ends), shape=(len(texts), len(self._table)))
        return normalize(counts @ self._table)

    @cached_property
    def _table(self) -> NDArray[np.float32]:
        tensors = load_file(_package_folder() / "weights" / "l2_supercat_256.safetensors")
        return tensors["embedding.weight"].astype(np.float32)

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        return Tokenizer.from_file(str(_package_folder() / "tokenizers" / "l2_supercat_tokenizer_config.json"))


def _fold_upper_case(text: str) -> str:
    """Lower-case a text whose letters are all upper case; return any other text as it is."""
    return text.lower() if text.isupper() else text


def _package_folder() -> Path:
    spec = find_spec("wordllama")
    if spec is None or spec.origin is None:
        raise VecsmithError(
            "The static encoder needs the wordllama package, which is not installed; pip install wordllama."
        )
    return Path(spec.origin).parent


ENCODERS["static"] = Loader(
    "static",
    "WordLlama's table of token vectors, built in: 256 dimensions, thousands of texts a second on one core",
    lambda name, options: StaticEncoder(options),
)
