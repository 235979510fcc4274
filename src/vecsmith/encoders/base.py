"""The contract of encoders, their options, and their registry."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vecsmith.embeddings import Provenance
from vecsmith.errors import VecsmithError
from vecsmith.plugins import Loader, Registry

Side = Literal["query", "passage"]
"""Which side of a search a text is on; models may put another prompt before each."""

Prompt = str | Mapping[str, str] | None
"""One prompt for all encoders, or a prompt per encoder by its spec; None for each model's own."""


@dataclass(frozen=True)
class EncoderOptions:
    """Options of one encoder, or of several that are used together; None leaves the model's own.

    Attributes
    ----------
    query_prompt, passage_prompt : str, mapping of str to str, or None
        Text put before every query and every document; or such a text per encoder, such as
        ``{"st:intfloat/e5-small": "query: "}``, where the other encoders keep their own.
    max_length : int or None
        Longest input, in tokens.
    batch_size : int or None
        Texts of one forward pass or request.
    trust_remote_code : bool
        Whether a sentence-transformers model may run Python code that comes with it. Other encoders have none.

    Raises
    ------
    VecsmithError
        If `max_length` or `batch_size` is less than 1.
    """

    # a mapping has no hash
    query_prompt: Prompt = field(default=None, hash=False)
    passage_prompt: Prompt = field(default=None, hash=False)
    max_length: int | None = None
    batch_size: int | None = None
    trust_remote_code: bool = False

    def __post_init__(self) -> None:
        for name, value in (("longest input", self.max_length), ("batch size", self.batch_size)):
            if value is not None and value < 1:
                raise VecsmithError(f"The {name} must be at least 1, not {value}.")

    def prompt(self, side: Side) -> str | None:
        """Return the prompt set for one side of a single encoder."""
        prompt = self.query_prompt if side == "query" else self.passage_prompt
        if isinstance(prompt, Mapping):
            raise VecsmithError("Prompts per encoder are for load_encoder and embed_task; give one encoder its text.")
        return prompt

    def of(self, encoder: str) -> "EncoderOptions":
        """Return the options of one encoder, whose prompts are texts or None."""
        query, passage = (
            prompt.get(encoder) if isinstance(prompt, Mapping) else prompt
            for prompt in (self.query_prompt, self.passage_prompt)
        )
        return replace(self, query_prompt=query, passage_prompt=passage)


class Encoder(ABC):
    """Turns texts into vectors.

    Each subclass has its own file, which registers it in `ENCODERS`. A subclass loads its model when it encodes the
    first text, because `provenance`, which is part of the cache key, must be cheap.

    Attributes
    ----------
    spec : str
        What a user writes to get this encoder, such as ``"static"``.
    """

    spec: str

    @abstractmethod
    def provenance(self, side: Side) -> Provenance:
        """Return what determines the vectors of one side besides the texts."""

    @abstractmethod
    def encode(self, texts: Sequence[str], side: Side) -> NDArray[np.float32]:
        """Return the unit vectors (n, d), float32, of `texts` on one side of a search."""


ENCODERS: Registry[Loader[Encoder]] = Registry("vecsmith.encoders")
"""Kinds of encoders by the prefix of their specs; `Loader.load` takes the rest of the spec and `EncoderOptions`."""
