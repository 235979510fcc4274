"""Rankings of judged queries, with the time of the search."""

import time
from statistics import median
from typing import NamedTuple

from vecsmith.array_types import RowNumbers
from vecsmith.evaluation.judged_queries import JudgedQueries, Search
from vecsmith.evaluation.metrics import Quality

LATENCY_QUERIES = 20
"""Number of queries that are searched one at a time for the latency."""


class TimedRanking(NamedTuple):
    """Rankings of m judged queries.

    Attributes
    ----------
    quality : Quality
        Their quality.
    rows : ndarray of shape (m, k), int64
        Row numbers of the retrieved documents.
    seconds : float
        Time of the search for all queries in one batch.
    milliseconds_per_query : float
        Median time of the search for a single query.
    top : (list of list of int, list of list of float)
        Rows and scores of the first documents of each query (see `JudgedQueries.top`).
    """

    quality: Quality
    rows: RowNumbers
    seconds: float
    milliseconds_per_query: float
    top: tuple[list[list[int]], list[list[float]]]


def timed_ranking(judged: JudgedQueries, search: Search) -> TimedRanking:
    """Search for all judged queries in one batch, and for some of them one at a time.

    Parameters
    ----------
    judged : JudgedQueries
        The queries.
    search : callable
        As for `JudgedQueries.retrieve`.

    Raises
    ------
    VecsmithError
        If no query is judged.
    """
    # the first search builds the FAISS index or loads the model, which is not counted as search time
    judged.retrieve(search, slice(0, 1))
    start = time.perf_counter()
    scores, rows = judged.retrieve(search)
    seconds = time.perf_counter() - start
    single = []
    for place in range(min(LATENCY_QUERIES, len(judged.ids))):
        start = time.perf_counter()
        judged.retrieve(search, slice(place, place + 1))
        single.append(time.perf_counter() - start)
    return TimedRanking(judged.evaluate(scores, rows), rows, seconds, 1000 * median(single), judged.top(scores, rows))
