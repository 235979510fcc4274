"""Experiment on hybrid search: codecs alone, and fused with BM25."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version

from quality_data import COLLECTIONS, TEST, Data, table

from vecsmith.evaluation.compare import compare
from vecsmith.evaluation.results import Result
from vecsmith.report.findings import Findings
from vecsmith.retrievers.specs import RetrieverSpecs
from vecsmith.retrievers.stages import BM25_PACKAGES

CODECS = ("int8", "trellis96B", "trellis48B", "binary", "trellis24B", "trellis12B")
FUSIONS = ("rrf", "convex")


def hybrid(data: Data) -> Findings:
    """Compare codecs of minilm alone and fused with BM25, on the test queries."""
    tasks = [task for task in data.tasks() if task.name in COLLECTIONS]
    columns, cells = ["codec", "bytes"], dict[str, list[str]]()
    for task in tasks:
        fusions = [fusion for fusion in FUSIONS if fusion == "rrf" or "train" in task.qrels]
        specs = RetrieverSpecs("bm25", "bm25", fusions)
        results = compare([task], ["vectors:minilm"], CODECS, split=TEST, seed=data.seed, retrievers=specs)
        columns += [task.name, *(f"+ {fusion}" for fusion in fusions)]
        for name, lines in _by_codec(results).items():
            first = next(iter(lines.values()))
            size = f"{first.bytes_per_vector}" if first.bytes_per_vector else "BM25"
            row = cells.setdefault(name, [name, size])
            row.append(_text(first))
            row += [_text(lines.get(fusion)) for fusion in fusions]
        columns[-len(fusions) - 1] += f" (BM25: {_lexical_bytes(results)} bytes)"
    packages = ", ".join(f"{name} {version(name)}" for name in BM25_PACKAGES)
    title = (
        "nDCG@10 of the test queries with minilm, float queries, cross-fitted. The column of a task: codes alone; + rrf, "
        "+ convex: fused with BM25, in brackets the weight of the codes, chosen on the train queries. BM25's bytes are "
        f"per document ({packages})"
    )
    return table(title, columns, [*cells.values()])


def _by_codec(results: Sequence[Result]) -> Mapping[str, Mapping[str, Result]]:
    """Return the results of each codec, by the name of the fusion; that of the codec alone comes first."""
    found: dict[str, dict[str, Result]] = {}
    for result in results:
        found.setdefault(result.codec, {})[result.scoring.partition("+")[2]] = result
    return found


def _text(result: Result | None) -> str:
    if result is None:
        return ""
    weight = f" ({result.second_stage['weight']:g})" if result.second_stage.get("chosen_on") else ""
    return f"{result.ndcg_at_10:.4f}{weight}"


def _lexical_bytes(results: Sequence[Result]) -> int:
    return max(result.lexical_bytes_per_vector for result in results)
