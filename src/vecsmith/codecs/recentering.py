"""Recentering: fitted stages with the mean of another corpus."""

from collections.abc import Iterator, Sequence

from vecsmith.codecs.stages import BLOCK_ROWS, Floats, Quantizer, Reducer
from vecsmith.embeddings import UnitVectors


def recentered_stages(stages: Sequence[Reducer | Quantizer], X: UnitVectors) -> list[Reducer | Quantizer]:
    """Return copies of fitted stages whose means are those of other vectors.

    Parameters
    ----------
    stages : sequence of Reducer or Quantizer
        Fitted stages in the order in which they are applied.
    X : UnitVectors of shape (n, d)
        Vectors, read once per stage that stores a mean. All-zero vectors are ignored.
    """
    result: list[Reducer | Quantizer] = []

    def reduced_blocks() -> Iterator[Floats]:
        """Yield the vectors as the stages recentered so far reduce them."""
        for start in range(0, len(X), BLOCK_ROWS):
            block = X[start : start + BLOCK_ROWS]
            reduced = block[block.any(axis=1)]
            for stage in result:
                if isinstance(stage, Reducer):
                    reduced = stage.transform(reduced)
            yield reduced

    for stage in stages:
        result.append(stage.recentered(reduced_blocks))
    return result
