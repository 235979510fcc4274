"""Requests to an OpenAI-compatible endpoint, with retries."""

import os
import re
from functools import cached_property
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import BaseHTTPResponse
from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

from vecsmith.errors import VecsmithError

DEFAULT_ADDRESS = "https://api.openai.com/v1"
RETRIES = 6
BACKOFF_SECONDS = 1.0
"""Wait before the second retry; it doubles with every further retry."""
MAX_RETRY_AFTER_SECONDS = 60.0
"""Maximum wait when a server sends a Retry-After header."""
TIMEOUT_SECONDS = (10, 300)
"""Timeouts of the connection and of the response."""


class Endpoint:
    """An OpenAI-compatible endpoint.

    The environment variable ``OPENAI_API_KEY`` is the key. Requests that fail with status 429 or 5xx or a broken
    connection are repeated with exponential backoff, or after the time in a Retry-After header.

    Parameters
    ----------
    path : str
        Path of the endpoint, such as ``embeddings``.
    address : str, optional
        The address that the path is appended to; ``OPENAI_BASE_URL`` or `DEFAULT_ADDRESS` by default.

    Attributes
    ----------
    url : str
        The whole address.

    Raises
    ------
    VecsmithError
        If the address or the key is malformed.
    """

    def __init__(self, path: str, address: str | None = None) -> None:
        self.url = (address or os.environ.get("OPENAI_BASE_URL") or DEFAULT_ADDRESS).rstrip("/") + f"/{path}"
        self._source = "the address" if address else "OPENAI_BASE_URL"
        self._key = os.environ.get("OPENAI_API_KEY", "").strip()
        if not re.fullmatch(r"https?://[^@/\s]+(/\S*)?", self.url):
            source = self._source[0].upper() + self._source[1:]
            raise VecsmithError(f"{source} must be an address such as http://localhost:8000/v1, with no password.")
        if not (self._key.isascii() and self._key.isprintable()):
            raise VecsmithError("OPENAI_API_KEY contains characters that are not valid in a key; set it again.")

    def post(self, payload: dict[str, Any], caller: str) -> requests.Response:
        """Return the answer to a request, whose status is 200.

        Parameters
        ----------
        payload : dict
            The request.
        caller : str
            Spec of the model, for errors.

        Raises
        ------
        VecsmithError
            If the server cannot be reached or answers with another status, after all retries.
        """
        answer = self._post(payload, RETRIES)
        if answer.status_code != 200:
            message = self._message(answer)
            raise VecsmithError(
                f"{self.url} answers {answer.status_code} to {caller} ({message}); {self._advice(answer)}."
            )
        return answer

    def _post(self, payload: dict[str, Any], retries: int) -> requests.Response:
        try:
            # a redirect would send the texts to another server
            return self._session.post(self.url, json=payload, timeout=TIMEOUT_SECONDS, allow_redirects=False)
        except requests.RequestException as error:
            # urllib3 does not retry when the connection breaks in the middle of a response
            if isinstance(error, requests.exceptions.ChunkedEncodingError) and retries > 0:
                return self._post(payload, retries - 1)
            reason = self._without_key(str(error))
            raise VecsmithError(
                f"{self.url} cannot be reached or closes the connection ({reason}); check {self._source}."
            ) from error

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

    def _without_key(self, message: str) -> str:
        message = " ".join(message.split())
        return (message.replace(self._key, "…") if self._key else message)[:500]

    def _advice(self, answer: requests.Response) -> str:
        if answer.status_code in (401, 403):
            return "check OPENAI_API_KEY"
        if answer.status_code in (400, 413):
            return "a smaller --batch-size may help" if self.url.endswith("/embeddings") else "check the model's name"
        if answer.status_code == 429 or answer.status_code >= 500:
            return "run the command again later, and it continues"
        return f"check {self._source} and the model's name"


class _CappedRetry(Retry):
    """Obeys a Retry-After header, up to `MAX_RETRY_AFTER_SECONDS`, and ignores an invalid one."""

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        try:
            seconds = super().get_retry_after(response)
        except InvalidHeader:
            return None
        return None if seconds is None else min(seconds, MAX_RETRY_AFTER_SECONDS)
