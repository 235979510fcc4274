"""Sources of the vectors of texts: an encoder, or the precomputed vectors of a task."""

import reprlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from vecsmith.array_types import Floats
from vecsmith.embeddings import EmbeddingSet, Provenance, normalize
from vecsmith.encoders import Encoder, EncoderOptions, Side, embed_task, embed_texts, load_encoder, split_spec
from vecsmith.errors import VecsmithError
from vecsmith.files import fingerprint
from vecsmith.tasks import Task, Texts


class VectorSource(ABC):
    """Vectors of the texts of queries and documents, all of one encoder."""

    @abstractmethod
    def provenance(self, side: Side) -> Provenance:
        """Return the provenance of the vectors of queries or documents."""

    @abstractmethod
    def embed(self, texts: Texts, side: Side) -> Floats:
        """Return the unit vectors (n, d) of texts that are queries or documents."""

    @property
    @abstractmethod
    def dimensions(self) -> int:
        """Number of dimensions d."""

    def embed_queries(self, queries: Sequence[str]) -> Floats:
        """Return the unit vectors (m, d) of the texts of queries."""
        return self.embed(Texts([str(row) for row in range(len(queries))], list(queries), "the queries"), "query")


@dataclass(frozen=True)
class EncoderVectors(VectorSource):
    """Vectors that an encoder computes on demand, and that are cached.

    Attributes
    ----------
    encoder : Encoder
        The encoder.
    """

    encoder: Encoder

    def provenance(self, side: Side) -> Provenance:
        return self.encoder.provenance(side)

    def embed(self, texts: Texts, side: Side) -> Floats:
        return normalize(embed_texts(self.encoder, texts, side).vectors)

    @property
    def dimensions(self) -> int:
        return embed_texts(self.encoder, Texts(["probe"], ["probe"], "a probe"), "query").dimensions


@dataclass(frozen=True)
class PrecomputedVectors(VectorSource):
    """Precomputed vectors, looked up by text.

    Attributes
    ----------
    corpus, queries : EmbeddingSet
        Vectors of the documents and queries, with their texts.
    """

    corpus: EmbeddingSet
    queries: EmbeddingSet

    def provenance(self, side: Side) -> Provenance:
        provenance = self._side(side).provenance
        revision = fingerprint([self.corpus.fingerprint, self.queries.fingerprint])
        # without the prefix, because the vectors may differ from those that the hub's model gives here
        return replace(provenance, encoder=provenance.encoder.removeprefix("st:"), revision=revision)

    def embed(self, texts: Texts, side: Side) -> Floats:
        vectors, rows = self._side(side), self._rows[side]
        missing = next(((id_, text) for id_, text in texts.rows() if text not in rows), None)
        if missing is not None:
            id_, text = missing
            raise VecsmithError(
                f"{vectors.source} has no vector for {reprlib.repr(text)}, the text {id_!r} of {texts.source}; "
                "use an encoder."
            )
        return normalize(vectors.vectors[[rows[text] for text in texts.texts]])

    @property
    def dimensions(self) -> int:
        return self.corpus.dimensions

    @cached_property
    def _rows(self) -> Mapping[Side, Mapping[str, int]]:
        """Row of each text, by side."""
        sides: tuple[Side, ...] = ("query", "passage")
        return {side: {text: row for row, text in enumerate(self._side(side).texts or [])} for side in sides}

    def _side(self, side: Side) -> EmbeddingSet:
        return self.queries if side == "query" else self.corpus


def is_precomputed(spec: str) -> bool:
    """Return whether the spec of an encoder names precomputed vectors of a task, alone or joined with others."""
    return any(part.startswith("vectors:") for part in split_spec(spec))


def vector_source(spec: str, task: Task | None, options: EncoderOptions | None = None) -> VectorSource:
    """Return the vectors of an encoder.

    Parameters
    ----------
    spec : str
        Spec of the encoder.
    task : Task or None
        The task whose precomputed vectors ``vectors:NAME`` stands for.
    options : EncoderOptions, optional
        Options of the encoder.

    Raises
    ------
    VecsmithError
        If the encoder is unknown, or there are precomputed vectors in its spec but no task.
    """
    if task is not None and is_precomputed(spec):
        return PrecomputedVectors(*embed_task(task, spec, options))
    return EncoderVectors(load_encoder(spec, options))
