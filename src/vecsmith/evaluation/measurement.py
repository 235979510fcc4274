"""Measurements of one line of `compare`, and their cache."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from vecsmith.evaluation.results import Result
from vecsmith.files import cache_folder, fingerprint, write_text


@dataclass(frozen=True)
class Measurement:
    """A result, and the nDCG@10 and the first documents of every query.

    Attributes
    ----------
    result : Result
        The result. Its compression, retention and p-value are 1 until it is compared with a baseline.
    ndcg_at_10 : list of float
        nDCG@10 of each judged query, in the order of the sorted query ids.
    top_rows : list of list of int
        Rows of the first ten documents of each of these queries, best first.
    top_scores : list of list of float
        Scores of these documents.
    """

    result: Result
    ndcg_at_10: list[float]
    top_rows: list[list[int]] = field(default_factory=list)
    top_scores: list[list[float]] = field(default_factory=list)


class CachedMeasurement:
    """A measurement in the cache folder, by its inputs.

    Parameters
    ----------
    inputs : sequence
        Everything that the measurement depends on; JSON-serializable.
    """

    def __init__(self, inputs: Sequence[object]) -> None:
        self._path = cache_folder() / "results" / f"{fingerprint(inputs)}.json"

    def read(self) -> Measurement | None:
        """Return the measurement; None if there is none, or a version with other fields wrote it."""
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
            return Measurement(**{**content, "result": Result(**content["result"])})
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, measurement: Measurement) -> Measurement:
        """Write the measurement and return it."""
        write_text(self._path, json.dumps(asdict(measurement)))
        return measurement
