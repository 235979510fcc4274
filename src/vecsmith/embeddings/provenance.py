"""Provenance of vectors: model, dataset and processing."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from vecsmith.embeddings.strings import EmptyStrings, as_strings, joined_bytes
from vecsmith.files import fingerprint


@dataclass(frozen=True)
class Provenance:
    """Provenance of vectors. Two sets are comparable if all fields but `prompt` and `dataset` are equal.

    Attributes
    ----------
    encoder : str
        The model, such as ``"static"`` or ``"st:sentence-transformers/all-MiniLM-L6-v2"``; ``""`` if unknown.
    revision : str
        Commit, or hash of the files, that identifies the model's weights.
    prompt : str
        Text prepended to every input. For fused vectors of models with different prompts, a JSON list of them.
    pooling : str
        Pooling of token vectors, such as ``"mean"``; ``""`` if unknown.
    max_length : int or None
        Maximum input length in tokens; None for the model's default.
    normalised : bool
        Whether every vector has unit length.
    dtype : str
        NumPy name of the dtype, such as ``"float32"``.
    dataset : str
        Task or file of the texts.
    content_hash : str
        SHA-256 of the ids and texts.
    translated_from : str
        Model whose vectors were translated into the space of `encoder`; ``""`` if not translated.
    translator : str
        Spec and SHA-256 of the translator, and SHA-256 of its input vectors.
    reduced_by : str
        Spec and SHA-256 of the reducers applied to the vectors of `encoder`; ``""`` if not reduced.
    blocks : mapping of str to int
        Names and dimensions of the concatenated models of fused vectors; otherwise empty.
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
        """The vector space, named by the encoder and, if the vectors are reduced, the reducers."""
        if not self.reduced_by:
            return self.encoder
        return f"{self.encoder or 'an unknown model'}, reduced by {self.reduced_by.partition(' ')[0]}"

    @property
    def key(self) -> str:
        """SHA-256 of all fields that determine the vectors; `dataset` is left out, because texts may be moved."""
        return fingerprint(asdict(replace(self, dataset="")))


def joined_prompt(prompts: Sequence[str]) -> str:
    """Return the prompt that all fused models share, otherwise a JSON list of their prompts."""
    return prompts[0] if len(set(prompts)) == 1 else json.dumps(prompts, ensure_ascii=False)


def content_hash(ids: Sequence[str], texts: Sequence[str] | None = None) -> str:
    """Return the SHA-256 of ids and texts, each terminated by the byte 0xFF, which UTF-8 does not use.

    Without texts, it is that of empty texts.
    """
    digest, id_column = hashlib.sha256(), as_strings(ids, "id")
    text_column = EmptyStrings(id_column) if texts is None else as_strings(texts, "text")
    for block in joined_bytes([id_column, text_column], b"\xff"):
        digest.update(block)
    return digest.hexdigest()
