"""Encoder for models behind an OpenAI-compatible ``/embeddings`` endpoint."""

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

BATCH_TEXTS = 256
"""Default number of texts per request."""
RETRIES = 6
BACKOFF_SECONDS = 1.0
"""Wait before the second retry; it doubles with every further retry."""
MAX_RETRY_AFTER_SECONDS = 60.0
"""Maximum wait when a server sends a Retry-After header."""
TIMEOUT_SECONDS = (10, 300)
"""Timeouts of the connection and of the response."""


@dataclass
class ApiEncoder(Encoder):
    """A model behind an OpenAI-compatible endpoint, with normalized vectors.

    The environment variable ``OPENAI_BASE_URL`` is the address (default: https://api.openai.com/v1), and
    ``OPENAI_API_KEY`` is the key. The address is recorded as the model's revision. Requests that fail with status 429
    or 5xx or a broken connection are repeated with exponential backoff, or after the time in a Retry-After header.

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
        self._url = (os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1").rstrip("/") + "/embeddings"
        self._key = os.environ.get("OPENAI_API_KEY", "").strip()
        if not re.fullmatch(r"https?://[^@/\s]+(/\S*)?", self._url):
            raise VecsmithError(
                "OPENAI_BASE_URL must be an address such as http://localhost:8000/v1, with no password."
            )
        if not (self._key.isascii() and self._key.isprintable()):
            raise VecsmithError("OPENAI_API_KEY contains characters that are not valid in a key; set it again.")

    def provenance(self, side: Side) -> Provenance:
        prompt = self.options.prompt(side) or ""
        return Provenance(encoder=self.spec, revision=self._url, prompt=prompt, normalised=True)

    def encode(self, texts: Sequence[str], side: Side) -> NDArray[np.float32]:
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

    def _post(self, payload: dict[str, Any], retries: int = RETRIES) -> requests.Response:
        try:
            # a redirect would send the texts to another server
            return self._session.post(self._url, json=payload, timeout=TIMEOUT_SECONDS, allow_redirects=False)
        except requests.RequestException as error:
            # urllib3 does not retry when the connection breaks in the middle of a response
            if isinstance(error, requests.exceptions.ChunkedEncodingError) and retries > 0:
                return self._post(payload, retries - 1)
            raise self._unreachable(error) from error

    @cached_property
    def _session(self) -> requests.Session:
        session = requests.Session()
        retry = _CappedRetry(
            total=RETRIES,
            backoff_factor=BACKOFF_SECONDS,
            status_forcelist={429, *range(500, 600)},
            allowed_methods={"POST"},
            raise_on_status=False,
        )
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(max_retries=retry))
        session.auth = self._sign
        return session

    def _sign(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        # set through `auth`, because requests replaces a plain header by the entry in ~/.netrc
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
        return VecsmithError(
            f"{self._url} cannot be reached or closes the connection ({reason}); check OPENAI_BASE_URL."
        )

    def _without_key(self, message: str) -> str:
        message = " ".join(message.split())
        return (message.replace(self._key, "…") if self._key else message)[:500]


def _advice(answer: requests.Response) -> str:
    if answer.status_code in (401, 403):
        return "check OPENAI_API_KEY"
    if answer.status_code in (400, 413):
        return "a smaller --batch-size may help"
    if answer.status_code == 429 or answer.status_code >= 500:
        return "run the command again later, and it continues"
    return "check OPENAI_BASE_URL and the model's name"


class _CappedRetry(Retry):
    """Obeys a Retry-After header, up to `MAX_RETRY_AFTER_SECONDS`, and ignores an invalid one."""

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        try:
            seconds = super().get_retry_after(response)
        except InvalidHeader:
            return None
        return None if seconds is None else min(seconds, MAX_RETRY_AFTER_SECONDS)


ENCODERS["api"] = Loader(
    "api:MODEL[@DIMENSIONS]",
    "a model behind an OpenAI-compatible endpoint; set OPENAI_BASE_URL and OPENAI_API_KEY",
    ApiEncoder,
)
