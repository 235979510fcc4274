"""Sources of vectors for an mteb model: an encoder, or the precomputed vectors of a task."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vecsmith.embeddings import EmbeddingSet, Provenance, normalize
from vecsmith.encoders import Encoder, Side, embed_texts
from vecsmith.errors import VecsmithError
from vecsmith.files import fingerprint
from vecsmith.tasks import Texts


@dataclass(frozen=True)
class Embedded:
    """Vectors that an encoder computes on demand."""

    encoder: Encoder

    def provenance(self, side: Side) -> Provenance:
        return self.encoder.provenance(side)

    def embed(self, texts: Texts, side: Side) -> NDArray[np.float32]:
        return normalize(embed_texts(self.encoder, texts, side).vectors)

    @property
    def dimensions(self) -> int:
        return embed_texts(self.encoder, Texts(["probe"], ["probe"], "a probe"), "query").dimensions


@dataclass(frozen=True)
class Ready:
    """Precomputed vectors, looked up by text."""

    corpus: EmbeddingSet
    queries: EmbeddingSet

    def provenance(self, side: Side) -> Provenance:
        found = self._side(side).provenance
        revision = fingerprint([self.corpus.fingerprint, self.queries.fingerprint])
        # without the prefix, because the vectors may differ from those that the hub's model gives here
        return replace(found, encoder=found.encoder.removeprefix("st:"), revision=revision)

    def embed(self, texts: Texts, side: Side) -> NDArray[np.float32]:
        found = self._side(side)
        rows = {text: row for row, text in enumerate(found.texts or [])}
        missing = next((id_ for id_, text in texts.rows() if text not in rows), None)
        if missing is not None:
            raise VecsmithError(f"{found.source} has no vector for the text {missing!r} of {texts.source}.")
        return normalize(found.vectors[[rows[text] for text in texts.texts]])

    @property
    def dimensions(self) -> int:
        return self.corpus.dimensions

    def _side(self, side: Side) -> EmbeddingSet:
        return self.queries if side == "query" else self.corpus
