"""Where vectors came from."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from vecsmith.files import fingerprint


@dataclass(frozen=True)
class Provenance:
    """Where vectors came from. Two sets are comparable when all but `prompt` and `dataset` agree.

    Attributes
    ----------
    encoder : str
        The model, such as ``"static"`` or ``"st:sentence-transformers/all-MiniLM-L6-v2"``; ``""`` if unknown.
    revision : str
        What pins the model's weights: a commit, or a hash of its files.
    prompt : str
        The text put before every input; of fused vectors whose models have different prompts, a JSON list of them.
    pooling : str
        How token vectors became one vector; ``""`` if unknown.
    max_length : int or None
        Longest input in tokens; None for the model's own.
    normalised : bool
        Whether every vector has unit length.
    dtype : str
        NumPy name of the dtype, such as ``"float32"``.
    dataset : str
        The task or file that the texts came from.
    content_hash : str
        SHA-256 of the ids and texts.
    translated_from : str
        The model whose vectors were translated into the space of `encoder`; ``""`` where nothing was translated.
    translator : str
        Spec and SHA-256 of the translator, and SHA-256 of the vectors that it was given.
    reduced_by : str
        Spec of the reducers that made these vectors of those of `encoder`, and SHA-256 of their weights; ``""`` where
        nothing was reduced.
    blocks : mapping of str to int
        Of fused vectors, the names and widths of the models' unit vectors, side by side; else empty.
    """

    encoder: str = ""
    revision: str = ""
    prompt: str = ""
    pooling: str = ""
    max_length: int | None = None
    normalised: bool = False
    dtype: str = "float32"
    dataset: str = ""
    content_hash: str = ""
    translated_from: str = ""
    translator: str = ""
    reduced_by: str = ""
    blocks: Mapping[str, int] = field(default_factory=dict)

    @property
    def space(self) -> str:
        """The encoder, and the reducers where there are any: what vectors are compared within."""
        if not self.reduced_by:
            return self.encoder
        return f"{self.encoder or 'an unknown model'}, reduced by {self.reduced_by.partition(' ')[0]}"

    @property
    def key(self) -> str:
        """SHA-256 of what determines the vectors: all but `dataset`, since texts may lie in another place."""
        return fingerprint(asdict(replace(self, dataset="")))


def joined_prompt(prompts: Sequence[str]) -> str:
    """Return the prompts of fused models as one text: the prompt that they share, else a JSON list of them."""
    return prompts[0] if len(set(prompts)) == 1 else json.dumps(prompts, ensure_ascii=False)


def content_hash(ids: Iterable[str], texts: Iterable[str]) -> str:
    """Return the SHA-256 of rows of ids and texts, each ended by a byte that UTF-8 does not use."""
    digest = hashlib.sha256()
    for id_, text in zip(ids, texts, strict=True):
        digest.update(id_.encode() + b"\xff" + text.encode() + b"\xff")
    return digest.hexdigest()
