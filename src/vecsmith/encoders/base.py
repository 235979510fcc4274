"""What an encoder is: texts in, unit vectors out."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vecsmith.embeddings import Provenance
from vecsmith.errors import VecsmithError

Side = Literal["query", "passage"]
"""Which side of a search a text is on; models may put another prompt before each."""


@dataclass(frozen=True)
class EncoderOptions:
    """What a user may set of an encoder; None leaves the model's own.

    Attributes
    ----------
    query_prompt, passage_prompt : str or None
        Text put before every query and every document.
    max_length : int or None
        Longest input, in tokens.
    batch_size : int or None
        Texts of one forward pass or request.

    Raises
    ------
    VecsmithError
        If `max_length` or `batch_size` is less than 1.
    """

    query_prompt: str | None = None
    passage_prompt: str | None = None
    max_length: int | None = None
    batch_size: int | None = None

    def __post_init__(self) -> None:
        for name, value in (("longest input", self.max_length), ("batch size", self.batch_size)):
            if value is not None and value < 1:
                raise VecsmithError(f"The {name} must be at least 1, not {value}.")

    def prompt(self, side: Side) -> str | None:
        """Return the prompt set for one side."""
        return self.query_prompt if side == "query" else self.passage_prompt


class Encoder(ABC):
    """Turns texts into vectors.

    Subclasses lie in one file each and are listed in `vecsmith.encoders`; a model is loaded when the first text is
    encoded, so that `provenance` alone, which keys the cache, stays cheap.

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
