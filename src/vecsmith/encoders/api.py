"""Encoder for models behind an OpenAI-compatible ``/embeddings`` endpoint."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vecsmith.array_types import Floats
from vecsmith.embeddings import Provenance, normalize
from vecsmith.encoders.base import ENCODERS, Encoder, EncoderOptions, Side
from vecsmith.encoders.endpoint import Endpoint
from vecsmith.errors import VecsmithError
from vecsmith.plugins import Loader

BATCH_TEXTS = 256
"""Default number of texts per request."""


@dataclass
class ApiEncoder(Encoder):
    """A model behind an OpenAI-compatible endpoint, with normalized vectors.

    The environment variable ``OPENAI_BASE_URL`` is the address (default: https://api.openai.com/v1), and
    ``OPENAI_API_KEY`` is the key. The address is recorded as the model's revision. `Endpoint` repeats failed requests.

    Parameters
    ----------
    name : str
        The model's name, optionally followed by ``@`` and the number of dimensions to request.
    options : EncoderOptions
        Prompts and batch size. `max_length` is refused, because the server truncates long inputs.

    Raises
    ------
    VecsmithError
        If `options` sets a `max_length`, or the address or the key is malformed.

    References
    ----------
    https://platform.openai.com/docs/api-reference/embeddings/create
    """

    name: str
    options: EncoderOptions

    def __post_init__(self) -> None:
        if self.options.max_length is not None:
            raise VecsmithError("The server of an API encoder truncates long texts; leave --max-length out.")
        self.spec = f"api:{self.name}"
        model, _, dimensions = self.name.rpartition("@")
        self._dimensions = int(dimensions) if model and dimensions.isdecimal() else None
        self._payload = {"model": model, "dimensions": self._dimensions} if self._dimensions else {"model": self.name}
        self._endpoint = Endpoint("embeddings")
        self._url = self._endpoint.url

    def provenance(self, side: Side) -> Provenance:
        prompt = self.options.prompt(side) or ""
        return Provenance(encoder=self.spec, revision=self._url, prompt=prompt, normalised=True)

    def encode(self, texts: Sequence[str], side: Side) -> Floats:
        prompt = self.options.prompt(side) or ""
        size = self.options.batch_size or BATCH_TEXTS
        # OpenAI refuses an empty input
        inputs = [prompt + text or " " for text in texts]
        batches = [self._embed(inputs[start : start + size]) for start in range(0, len(inputs), size)]
        if len({batch.shape[1] for batch in batches}) > 1:
            raise VecsmithError(
                f"{self._url} returns vectors with different numbers of dimensions; check the model behind it."
            )
        return normalize(np.concatenate(batches))

    def _embed(self, texts: list[str]) -> Floats:
        answer = self._endpoint.post({**self._payload, "input": texts}, self.spec)
        try:
            items = sorted(answer.json()["data"], key=lambda item: item["index"])
            indices = [item["index"] for item in items]
            with np.errstate(over="ignore"):
                vectors = np.array([item["embedding"] for item in items], dtype=np.float32)
        except (ValueError, KeyError, TypeError) as error:
            raise VecsmithError(f"The answer of {self._url} is not a list of embeddings; check the address.") from error
        if indices != list(range(len(texts))):
            raise VecsmithError(f"{self._url} returns {len(items)} vectors for {len(texts)} texts, or wrong indices.")
        if vectors.ndim != 2 or not np.isfinite(vectors).all():
            raise VecsmithError(f"{self._url} returns vectors that are not lists of finite numbers.")
        if self._dimensions not in (None, vectors.shape[1]):
            raise VecsmithError(
                f"{self._url} returns {vectors.shape[1]} dimensions instead of {self._dimensions}; {self.name} may not "
                "support fewer dimensions."
            )
        return vectors


ENCODERS["api"] = Loader(
    "api:MODEL[@DIMENSIONS]",
    "a model behind an OpenAI-compatible endpoint; set OPENAI_BASE_URL and OPENAI_API_KEY",
    ApiEncoder,
)
