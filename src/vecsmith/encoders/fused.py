"""An encoder that concatenates the vectors of several encoders."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vecsmith.embeddings import Provenance, joined_prompt, normalize
from vecsmith.encoders.base import Encoder, Side


class FusedEncoder(Encoder):
    """Concatenates the unit vectors of several encoders, as `vecsmith.embeddings.fuse` does.

    Parameters
    ----------
    parts : sequence of Encoder
        Two or more encoders.
    """

    def __init__(self, parts: Sequence[Encoder]) -> None:
        self.parts = parts
        self.spec = "+".join(part.spec for part in parts)

    def provenance(self, side: Side) -> Provenance:
        origins = [part.provenance(side) for part in self.parts]
        return Provenance(
            encoder=self.spec,
            revision="+".join(origin.revision for origin in origins),
            prompt=joined_prompt([origin.prompt for origin in origins]),
            pooling="+".join(dict.fromkeys(origin.pooling for origin in origins)),
        )

    def encode(self, texts: Sequence[str], side: Side) -> NDArray[np.float32]:
        return np.hstack([normalize(part.encode(texts, side)) for part in self.parts])
