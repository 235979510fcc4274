"""`Result`: one measured line, and the file of such lines."""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from vecsmith.errors import VecsmithError
from vecsmith.files import write_text


@dataclass(frozen=True)
class Result:
    """What one codec, scored one way, costs and keeps on one task.

    Attributes
    ----------
    task, split, encoder, codec : str
        What was measured.
    scoring : str
        ``symmetric``, ``asymmetric`` (every whole code is scored), ``two-stage`` (codes of two quantizers: the first
        codes are scanned, the whole codes reorder the shortlist) or ``rescored`` (floats reorder the shortlist);
        ``exact`` for float32, where these are one.
    fit_on : str
        ``cross``, ``corpus`` or the folder of another set; ``nothing`` for a codec that learns nothing,
        ``what it was fitted on before`` for the folder of a fitted one.
    n_docs, n_queries : int
        Documents searched and queries judged.
    dimensions : int
        Dimensions that the codec keeps.
    bytes_per_vector : int
        Stored per document, scalars included.
    rescore_bytes_per_vector : int
        Stored per document besides, for rescoring.
    amortised_bytes_per_vector : float
        `bytes_per_vector`, `rescore_bytes_per_vector` and the document's share of `codec_bytes` together.
    codec_bytes : int
        Size of one fitted codec.
    compression : float
        Bytes of the baseline's float32 vector over `bytes_per_vector` and `rescore_bytes_per_vector` together.
    ndcg_at_10, recall_at_100 : float
        Means over the judged queries.
    retention : float
        nDCG@10 over that of the baseline's float32 vectors in the same run.
    p_value : float
        Of a paired t-test over queries of nDCG@10 against the baseline's float32 vectors.
    fit_seconds : float
        Time to fit one codec.
    encode_vectors_per_second, queries_per_second : float
        Measured in this process, on `versions["threads"]` threads, all queries in one batch.
    seed : int
        Seed of the codec and of the split into halves.
    versions : dict of str to str
        Versions of vecsmith, Python, NumPy and FAISS, and the number of threads.
    baseline : str
        Encoder whose float32 vectors are the baseline: `encoder` itself, unless another one was named.
    memory_bytes_per_vector : int
        Bytes per document in memory during a search, without `rescore_bytes_per_vector`; 0 where it is not known.
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


FIELDS: tuple[str, ...] = tuple(field.name for field in fields(Result))


def to_json(content: Any, indent: int | None = None) -> str:
    """Return content as JSON, in which numbers that are not finite are null: JSON has no NaN."""
    return json.dumps(_finite(content), indent=indent, allow_nan=False)


def _finite(content: Any) -> Any:
    if isinstance(content, dict):
        return {name: _finite(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def write_results(path: Path, results: Iterable[Result]) -> None:
    """Write results as JSON lines, in one step."""
    write_text(path, "".join(to_json(asdict(result)) + "\n" for result in results))


def read_results(path: str | Path) -> list[Result]:
    """Read the JSON lines that `write_results` wrote.

    Raises
    ------
    VecsmithError
        If the file is missing or a line is not a result (which line).
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
