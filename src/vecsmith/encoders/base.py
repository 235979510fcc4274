"""The contract of encoders, their options, and their registry."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from vecsmith.array_types import Floats
from vecsmith.embeddings import Provenance
from vecsmith.errors import VecsmithError
from vecsmith.plugins import Loader, Registry

Side = Literal["query", "passage"]
"""Whether a text is a query or a document; models may have a prompt for each."""

Prompt = str | Mapping[str, str] | None
"""One prompt for all encoders, or one per encoder spec; None for the model's own prompt."""


@dataclass(frozen=True)
class EncoderOptions:
    """Options of one or several encoders; None selects the model's default.

    Attributes
    ----------
    query_prompt, passage_prompt : str, mapping of str to str, or None
        Text put before every query or document; or a mapping from encoders to texts, such as
        ``{"st:intfloat/e5-small": "query: "}``. Encoders that are not in the mapping use their own prompt.
    max_length : int or None
        Maximum input length in tokens.
    batch_size : int or None
        Texts per forward pass or request.
    trust_remote_code : bool
        Whether a sentence-transformers model may run the Python code in its repository.

    Raises
    ------
    VecsmithError
        If `max_length` or `batch_size` is less than 1.
    """

    # a mapping is not hashable
    query_prompt: Prompt = field(default=None, hash=False)
    passage_prompt: Prompt = field(default=None, hash=False)
    max_length: int | None = None
    batch_size: int | None = None
    trust_remote_code: bool = False

    def __post_init__(self) -> None:
        for name, value in (("maximum input length", self.max_length), ("batch size", self.batch_size)):
            if value is not None and value < 1:
                raise VecsmithError(f"The {name} must be at least 1, not {value}.")

    def prompt(self, side: Side) -> str | None:
        """Return the prompt for queries or documents of a single encoder.

        Raises
        ------
        VecsmithError
            If the options have a prompt per encoder.
        """
        prompt = self.query_prompt if side == "query" else self.passage_prompt
        if isinstance(prompt, Mapping):
            raise VecsmithError(
                "Only load_encoder and embed_task take a prompt per encoder; give a single encoder a text."
            )
        return prompt

    def of(self, encoder: str) -> "EncoderOptions":
        """Return the options of one encoder, without the prompts of the others."""
        query, passage = (
            prompt.get(encoder) if isinstance(prompt, Mapping) else prompt
            for prompt in (self.query_prompt, self.passage_prompt)
        )
        return replace(self, query_prompt=query, passage_prompt=passage)


class Encoder(ABC):
    """Base class of encoders, which turn texts into unit vectors.

    Each subclass has its own file, which registers it in `ENCODERS`. A subclass loads its model when it encodes the
    first text, because `provenance`, which is part of the cache key, must be cheap.

    Attributes
    ----------
    spec : str
        Spec that names this encoder, such as ``"static"``.
    """

    spec: str

    @abstractmethod
    def provenance(self, side: Side) -> Provenance:
        """Return everything that determines the vectors of queries or documents, except the texts."""

    @abstractmethod
    def encode(self, texts: Sequence[str], side: Side) -> Floats:
        """Return unit vectors (n, d), float32, of texts that are queries or documents."""


ENCODERS: Registry[Loader[Encoder]] = Registry("vecsmith.encoders")
"""Kinds of encoders by the prefix of their specs; `Loader.load` takes the rest of the spec and `EncoderOptions`."""
