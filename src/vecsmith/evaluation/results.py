"""`Result`, one line of measurements, and files of results in JSON lines."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from vecsmith.errors import VecsmithError
from vecsmith.files import write_text


@dataclass(frozen=True)
class Result:
    """Retrieval quality, storage and speed of one codec with one scoring on one task.

    Attributes
    ----------
    task, split, encoder, codec : str
        Name of the task, split of the judgements, and specs of the encoder and codec.
    scoring : str
        ``symmetric``, ``asymmetric`` (all whole codes are scored), ``two-stage`` (codes of two quantizers: the codes of
        the first quantizer are scanned, and the whole codes reorder the shortlist) or ``rescored`` (floats reorder the
        shortlist). ``exact`` for float32, for which all of these are equal. ``lexical`` for BM25. The name of a fusion
        or a reranker is added, as in ``asymmetric+rrf``.
    fit_on : str
        The training set: ``cross``, ``corpus`` or the folder of another set; ``nothing`` for a codec without fitted
        parameters, ``saved codec`` for the folder of a fitted codec.
    n_docs, n_queries : int
        Number of documents and of judged queries.
    dimensions : int
        Dimensions of the reduced vectors.
    bytes_per_vector : int
        Bytes stored per document, scalars included.
    rescore_bytes_per_vector : int
        Further bytes stored per document for rescoring.
    amortised_bytes_per_vector : float
        Sum of `bytes_per_vector`, `rescore_bytes_per_vector`, `lexical_bytes_per_vector` and the document's share of
        `codec_bytes`.
    codec_bytes : int
        Size of one fitted codec.
    compression : float
        Bytes of the baseline's float32 vector divided by the sum of `bytes_per_vector`, `rescore_bytes_per_vector` and
        `lexical_bytes_per_vector`.
    ndcg_at_10, recall_at_100 : float
        Means over the judged queries.
    retention : float
        nDCG@10 relative to the baseline's float32 vectors in the same run.
    p_value : float
        p-value of a paired t-test of nDCG@10 over queries, against the baseline's float32 vectors.
    fit_seconds : float
        Time to fit one codec.
    encode_vectors_per_second, queries_per_second : float
        Speed in this process, on `versions["threads"]` threads, with all queries in one batch.
    seed : int
        Seed of the codec and of the halves of the corpus.
    versions : dict of str to str
        Versions of vecsmith, Python, NumPy, FAISS and pytrec_eval, and the number of threads.
    baseline : str
        Encoder whose float32 vectors are the baseline. It equals `encoder` by default.
    memory_bytes_per_vector : int
        Bytes per document in memory during a search, without `rescore_bytes_per_vector`; 0 if unknown.
    metrics : dict of str to float
        Means over the judged queries of further metrics, by their names in ir_measures.
    neighbors_kept_at_10 : float
        Share of the ten nearest documents by the cosine of the float vectors that are among the first ten results, a
        mean over the judged queries; NaN if unknown, and for reranking tasks, which rank only candidates.
    score_correlation : float
        Pearson's correlation of the scores with these cosines, a mean over the judged queries; NaN if unknown.
    lexical_bytes_per_vector : int
        Further bytes stored per document for a lexical index.
    milliseconds_per_query : float
        Median time of a search for one query alone, without embedding the query; NaN if unknown.
    second_stage : dict of str to object
        Settings of the fusion or the reranker after the first retriever; empty without one.
    machine : str
        Processor and operating system of the measurement; empty if unknown.
    command : str
        Command that measures this line again; empty if the line was not measured by the command line.
    """

    task: str
    split: str
    encoder: str
    codec: str
    scoring: str
    fit_on: str
    n_docs: int
    n_queries: int
    dimensions: int
    bytes_per_vector: int
    rescore_bytes_per_vector: int
    amortised_bytes_per_vector: float
    codec_bytes: int
    compression: float
    ndcg_at_10: float
    recall_at_100: float
    retention: float
    p_value: float
    fit_seconds: float
    encode_vectors_per_second: float
    queries_per_second: float
    seed: int
    versions: dict[str, str]
    baseline: str = ""
    memory_bytes_per_vector: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    neighbors_kept_at_10: float = math.nan
    score_correlation: float = math.nan
    lexical_bytes_per_vector: int = 0
    milliseconds_per_query: float = math.nan
    second_stage: dict[str, Any] = field(default_factory=dict)
    machine: str = ""
    command: str = ""

    def value(self, metric: str) -> float:
        """Return the value of a metric by its name, such as ``nDCG@10`` or ``Kept@10``; NaN if it was not measured."""
        if metric in FIELD_OF_METRIC:
            return float(getattr(self, FIELD_OF_METRIC[metric]))
        return self.metrics.get(metric, math.nan)


FIELD_OF_METRIC: Mapping[str, str] = {
    "nDCG@10": "ndcg_at_10",
    "R@100": "recall_at_100",
    "Kept@10": "neighbors_kept_at_10",
    "Correlation": "score_correlation",
}
"""Fields of the metrics that every result has. The other metrics are in `Result.metrics`."""
FIELDS: tuple[str, ...] = tuple(each.name for each in fields(Result))


def to_json(content: Any, indent: int | None = None) -> str:
    """Return content as JSON, with null in place of NaN and infinite numbers, which JSON lacks."""
    return json.dumps(_finite(content), indent=indent, allow_nan=False)


def _finite(content: Any) -> Any:
    if isinstance(content, dict):
        return {name: _finite(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def write_results(path: Path, results: Iterable[Result]) -> None:
    """Write results as JSON lines, atomically."""
    write_text(path, "".join(to_json(asdict(result)) + "\n" for result in results))


def read_results(path: str | Path) -> list[Result]:
    """Read the JSON lines that `write_results` wrote.

    Raises
    ------
    VecsmithError
        If the file cannot be read, or a line is not a result; the error names the line.
    """
    try:
        lines: Sequence[str] = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise VecsmithError(f"{path} cannot be read as results ({error}); name a results.jsonl.") from error
    results = []
    for number, line in enumerate(lines, start=1):
        try:
            values: dict[str, Any] = {
                name: math.nan if value is None else value for name, value in json.loads(line).items()
            }
            results.append(Result(**values))
        except (ValueError, TypeError, AttributeError) as error:
            raise VecsmithError(f"{path}, line {number}, is not a result ({error}); run compare again.") from error
    return results
