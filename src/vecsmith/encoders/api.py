"""An OpenAI-compatible ``/embeddings`` endpoint, on the network or on this machine."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import requests
from numpy.typing import NDArray
from requests.adapters import HTTPAdapter
from urllib3 import BaseHTTPResponse
from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

from vecsmith.embeddings import Provenance, normalize
from vecsmith.encoders.base import ENCODERS, Encoder, EncoderOptions, Side
from vecsmith.errors import VecsmithError
from vecsmith.plugins import Loader

BATCH = 256
RETRIES = 6
BACKOFF = 1.0
"""Seconds before the second retry; each further one waits twice as long."""
LONGEST_WAIT = 60.0
"""Seconds to wait at most when a server says Retry-After."""
TIMEOUT = (10, 300)
"""Seconds to wait for a connection and for an answer."""


@dataclass
class ApiEncoder(Encoder):
    """A model behind an OpenAI-compatible endpoint, its vectors normalized.

    ``OPENAI_BASE_URL`` says where it is (https://api.openai.com/v1 by default) and ``OPENAI_API_KEY`` is the key; the
    address stands for the model's revision. Answers 429 and 5xx and broken connections are tried again with growing
    pauses, or after the pause that the server asks for.

    Parameters
    ----------
    name : str
        The model's name, followed by ``@`` and a number to ask for so many dimensions.
    options : EncoderOptions
        Prompts, and the texts of a request; the server knows the longest input, so `max_length` is refused.

    Raises
    ------
    VecsmithError
        If `options` sets a `max_length`, or the address or the key cannot be right.

    References
    ----------
    https://platform.openai.com/docs/api-reference/embeddings/create
    """

    name: str
    options: EncoderOptions

    def __post_init__(self) -> None:
        if self.options.max_length is not None:
            raise VecsmithError("An API encoder cuts texts as its server does; leave --max-length out.")
        self.spec = f"api:{self.name}"
        model, _, dimensions = self.name.rpartition("@")
        self._dimensions = int(dimensions) if model and dimensions.isdecimal() else None
        self._payload = {"model": model, "dimensions": self._dimensions} if self._dimensions else {"model": self.name}
        self._url = (os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1").rstrip("/") + "/embeddings"
        self._key = os.environ.get("OPENAI_API_KEY", "").strip()
        if not re.fullmatch(r"https?://[^@/\s]+(/\S*)?", self._url):
            raise VecsmithError(
                "OPENAI_BASE_URL must be an address such as http://localhost:8000/v1, with no password."
            )
        if not (self._key.isascii() and self._key.isprintable()):
            raise VecsmithError("OPENAI_API_KEY has characters that no key has; set it again.")

    def provenance(self, side: Side) -> Provenance:
        prompt = self.options.prompt(side) or ""
        return Provenance(encoder=self.spec, revision=self._url, prompt=prompt, normalised=True)

    def encode(self, texts: Sequence[str], side: Side) -> NDArray[np.float32]:
        prompt = self.options.prompt(side) or ""
        size = self.options.batch_size or BATCH
        # OpenAI refuses an empty input
        inputs = [prompt + text or " " for text in texts]
        batches = [self._embed(inputs[start : start + size]) for start in range(0, len(inputs), size)]
        if len({batch.shape[1] for batch in batches}) > 1:
            raise VecsmithError(f"{self._url} answers with vectors of different dimensions; see what it serves.")
        return normalize(np.concatenate(batches))

    def _embed(self, texts: list[str]) -> NDArray[np.float32]:
        answer = self._post({**self._payload, "input": texts})
        if answer.status_code != 200:
            raise VecsmithError(
                f"{self._url} answers {answer.status_code} to {self.spec} ({self._message(answer)}); {_advice(answer)}."
            )
        try:
            items = sorted(answer.json()["data"], key=lambda item: item["index"])
            indices = [item["index"] for item in items]
            with np.errstate(over="ignore"):
                vectors = np.array([item["embedding"] for item in items], dtype=np.float32)
        except (ValueError, KeyError, TypeError) as error:
            raise VecsmithError(f"The answer of {self._url} is no list of embeddings; see what it serves.") from error
        if indices != list(range(len(texts))):
            raise VecsmithError(
                f"{self._url} answers with {len(items)} vectors to {len(texts)} texts, or numbers them wrong."
            )
        if vectors.ndim != 2 or not np.isfinite(vectors).all():
            raise VecsmithError(f"{self._url} answers with vectors that are not lists of finite numbers.")
        if self._dimensions not in (None, vectors.shape[1]):
            raise VecsmithError(
                f"{self._url} answers with {vectors.shape[1]} dimensions, not {self._dimensions}; {self.name} may not "
                "be able to shorten its vectors."
            )
        return vectors

    def _post(self, payload: dict[str, Any], retries: int = RETRIES) -> requests.Response:
        try:
            # a redirect would carry the texts elsewhere
            return self._session.post(self._url, json=payload, timeout=TIMEOUT, allow_redirects=False)
        except requests.RequestException as error:
            # urllib3 leaves it to the caller when the connection breaks in the middle of an answer
            if isinstance(error, requests.exceptions.ChunkedEncodingError) and retries > 0:
                return self._post(payload, retries - 1)
            raise self._unreachable(error) from error

    @cached_property
    def _session(self) -> requests.Session:
        session = requests.Session()
        retry = _CappedRetry(
            total=RETRIES,
            backoff_factor=BACKOFF,
            status_forcelist={429, *range(500, 600)},
            allowed_methods={"POST"},
            raise_on_status=False,
        )
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(max_retries=retry))
        session.auth = self._sign
        return session

    def _sign(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        # as `auth`, since a header alone would be replaced by what ~/.netrc says
        if self._key:
            request.headers["Authorization"] = f"Bearer {self._key}"
        return request

    def _message(self, answer: requests.Response) -> str:
        try:
            message = str(answer.json()["error"]["message"])
        except (ValueError, KeyError, TypeError):
            message = answer.text or answer.reason
        return self._without_key(message)

    def _unreachable(self, error: requests.RequestException) -> VecsmithError:
        reason = self._without_key(str(error))
        return VecsmithError(f"{self._url} cannot be reached or breaks off ({reason}); check OPENAI_BASE_URL.")

    def _without_key(self, message: str) -> str:
        message = " ".join(message.split())
        return (message.replace(self._key, "…") if self._key else message)[:500]


def _advice(answer: requests.Response) -> str:
    if answer.status_code in (401, 403):
        return "check OPENAI_API_KEY"
    if answer.status_code in (400, 413):
        return "a smaller --batch-size may help"
    if answer.status_code == 429 or answer.status_code >= 500:
        return "start it again later, and it goes on where it was"
    return "check OPENAI_BASE_URL and the model's name"


class _CappedRetry(Retry):
    """Waits as long as a server asks, but no longer than `LONGEST_WAIT`: it may ask for a day, or for nonsense."""

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        try:
            seconds = super().get_retry_after(response)
        except InvalidHeader:
            return None
        return None if seconds is None else min(seconds, LONGEST_WAIT)


ENCODERS["api"] = Loader(
    "api:MODEL[@DIMENSIONS]",
    "a model behind an OpenAI-compatible endpoint; set OPENAI_BASE_URL and OPENAI_API_KEY",
    ApiEncoder,
)
