"""Experiments on fused models, small models in place of a large one, and the static encoder."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from statistics import fmean

import numpy as np
from quality_data import ALL, Data, Floats, Side, table

import vecsmith
from vecsmith import studies
from vecsmith.embeddings import normalize
from vecsmith.encoders import EncoderOptions
from vecsmith.encoders.static import StaticEncoder
from vecsmith.evaluation import stratified_p_value
from vecsmith.evaluation.compare import measure
from vecsmith.evaluation.results import Result
from vecsmith.report.findings import Findings
from vecsmith.studies import StudyConfig
from vecsmith.tasks import Task

PAIRS = (
    ("minilm", "wordllama"),
    ("minilm", "potion"),
    ("mpnet", "wordllama"),
    ("mpnet", "potion"),
    ("minilm", "mpnet"),
)
TRIPLE = ("minilm", "wordllama", "potion")
COMPONENT_SETTINGS = ((0.0, 0.0), (1 / 8, 0.0), (1 / 8, 5.0), (1 / 4, 5.0))
"""p and k of the weights (λ + 0.05 + k d/n)⁻ᵖ of the components of a model's block."""
MODEL_WEIGHTS = (0.3, 0.5, 1.0)
"""Weights of the second model's cosine."""


def over_first(
    tasks: Sequence[Task], first: str, alone: Sequence[str], fused: str, specs: Sequence[str], split: str, seed: int = 0
) -> tuple[list[list[object]], list[Result]]:
    """Return a row per codec, of nDCG@10 over that of the first encoder's float32 vectors, and the results."""
    found = []
    for task in tasks:
        options = {"split": task.present(split), "seed": seed}
        baseline, *own = measure([task], [first], list(alone), **options)[0]  # type: ignore[arg-type]
        joined = measure([task], [fused], list(specs), **options)[0][1:]  # type: ignore[arg-type]
        found.append((baseline, [*own, *joined]))
    rows: list[list[object]] = []
    for number, line in enumerate(found[0][1]):
        ratios = [each[number].result.ndcg_at_10 / baseline.result.ndcg_at_10 for baseline, each in found]
        gains = [np.subtract(each[number].ndcg_at_10, baseline.ndcg_at_10) for baseline, each in found]
        size = [line.result.scoring, str(line.result.bytes_per_vector)]
        rows.append([line.result.codec, *size, *ratios, fmean(ratios), f"{stratified_p_value(gains):.4f}"])
    return rows, [line.result for baseline, each in found for line in (baseline, *each)]


def fused_table(data: Data, cases: Sequence[tuple[Sequence[str], Sequence[str]]]) -> Findings:
    """Measure codecs of fused ready vectors, for models and specs."""
    tasks, rows, results = data.tasks(), [], []
    for models, specs in cases:
        encoders = [f"vectors:{model}" for model in models]
        lines, found = over_first(tasks, encoders[0], [], "+".join(encoders), specs, ALL, data.seed)
        rows += [["+".join(models), *line] for line in lines]
        results += found
    title = "nDCG@10 over that of the first model, float queries, cross-fitted; p: paired over the queries"
    columns = ["models", "codec", "scoring", "bytes", *(task.name for task in tasks), "mean", "p"]
    return Findings([table(title, columns, rows)], results)


def fusion_pairs(data: Data) -> Findings:
    """Measure concatenated models, without and with weights."""
    cases = []
    for models in (*PAIRS, TRIPLE):
        first, *others = models
        equal = f"fuse({','.join(models)})"
        weighted = f"fuse({first},{','.join(f'{name}:0.7' for name in others)})"
        cases.append((models, [equal, weighted, f"{equal}:fit", f"{equal}:fit,pca384"]))
    return fused_table(data, cases)


def fusion_codes(data: Data) -> Findings:
    """Measure codes of fused vectors."""
    weighted, fitted = "fuse(minilm,wordllama:0.7)", "fuse(minilm,wordllama):fit"
    specs = [f"{weighted},binary", f"{weighted},thresholds", f"{fitted},thresholds"]
    specs += [f"{fitted},{family}{size}B" for size in (80, 64, 48) for family in ("trellis", "hybrid")]
    specs += [f"{fitted},{codec}" for codec in ("binary-autoencoder48B", "trellis40B", "trellis32B")]
    return fused_table(data, [(PAIRS[0], specs)])


def held_out(data: Data) -> Findings:
    """Measure codes and fused vectors on pydocs, which no constant was chosen on.

    The folder of collections must contain `pydocs-minilm`, which this command writes::

        vecsmith embed --task pydocs --encoder st:sentence-transformers/all-MiniLM-L6-v2 --out DATA/pydocs-minilm
    """
    task, folder = vecsmith.load_task("pydocs"), data.folder / "pydocs-minilm"
    minilm, fitted = f"vectors:{folder}/corpus,{folder}/queries", "fuse(minilm,static):fit"
    alone = ["trellis96B", "trellis48B", "hybrid48B", "hybrid16B+trellis32B", "trellis24B", "faiss:RaBitQ"]
    fused = ["fuse(minilm,static:0.7)", fitted, f"{fitted},pca384", f"{fitted},hybrid48B"]
    fused += [f"{fitted},trellis{size}B" for size in (80, 64, 48, 40, 32, 24)]
    rows, results = over_first([task], minilm, alone, f"{minilm}+static", fused, "test", data.seed)
    headline = f"{fitted},trellis48B"
    seeds = [over_first([task], minilm, [], f"{minilm}+static", [headline], "test", s)[0][0] for s in range(4)]
    title = "nDCG@10 on pydocs over that of MiniLM's float32 vectors, cross-fitted; p: paired over the queries"
    columns = ["codec", "scoring", "bytes", "nDCG@10", "p"]
    return Findings(
        [
            table(title, columns, [[*row[:4], row[5]] for row in rows]),
            table(
                f"{headline} with other seeds", ["seed", "nDCG@10", "p"], [[s, r[3], r[5]] for s, r in enumerate(seeds)]
            ),
        ],
        results,
    )


def weighted_cosines(side: Side, p: float, k: float) -> Floats:
    """Return cosines (queries, documents), weighted by components fitted on the other half of the documents."""
    X, Q = side.documents, side.queries
    scores, order = np.empty((len(Q), len(X)), np.float32), np.random.default_rng(0).permutation(len(X))
    for rows, others in ((order[::2], order[1::2]), (order[1::2], order[::2])):
        moments, V = np.linalg.eigh(X[others].T.astype(np.float64) @ X[others])
        spectrum = np.maximum(moments, 0) / moments.mean()
        weights = V * (spectrum + 0.05 + k * X.shape[1] / len(others)) ** -p
        scores[:, rows] = normalize(Q @ weights) @ normalize(X[rows] @ weights).T
    return scores


def fusion_weights(data: Data) -> Findings:
    """Measure the weights of components and of the second model."""
    kept: dict[tuple[str, float, float, float], list[float]] = {}
    for task in data.tasks():
        sides = {model: Side(task, model) for model in ("minilm", "mpnet", "potion", "wordllama")}
        for p, k in COMPONENT_SETTINGS:
            scores = {model: weighted_cosines(side, p, k) for model, side in sides.items()}
            for w in MODEL_WEIGHTS:
                shares = [sides[a].ndcg(scores[a] + w * scores[b]) / sides[a].baseline for a, b in PAIRS]
                kept.setdefault(("mean of pairs", p, k, w), []).append(fmean(shares))
                kept.setdefault(("+".join(PAIRS[0]), p, k, w), []).append(shares[0])
    lines = sorted(kept.items(), key=lambda item: item[0][0])
    rows = [[pair, f"{p:g}", f"{k:g}", f"{w:g}", *shares, fmean(shares)] for (pair, p, k, w), shares in lines]
    title = (
        "nDCG@10 over that of the first model, cross-fitted, seed 0. A component of second moment λ, relative to the "
        "mean, is weighted by (λ + 0.05 + k d/n)⁻ᵖ, and the second model's cosine by w"
    )
    columns = ["models", "p", "k", "w", *(task.name for task in data.tasks()), "mean"]
    return Findings([table(title, columns, rows)])


def study(name: str, models: Sequence[str], names: Sequence[str], data: Data) -> Findings:
    """Run a study of the package on ready vectors."""
    return studies.STUDIES[name](
        StudyConfig(data.paths(*names), [f"vectors:{m}" for m in models], ALL, seeds=data.seeds)
    )


fusion = partial(study, "fusion", ("minilm", "wordllama"), ())
# these train at many widths, which takes hours on HotpotQA-2k
autoencoder_dimensions = partial(study, "autoencoder-dimensions", ("minilm",), ("scifact", "cranfield"))
matryoshka = partial(study, "matryoshka-versus-autoencoder", ("potion", "wordllama"), ("scifact", "cranfield"))
small_to_large = partial(study, "small-to-large", ("minilm", "wordllama", "mpnet"), ())
small_to_large_static = partial(study, "small-to-large", ("wordllama", "potion", "mpnet"), ())
migration = partial(study, "migration", ("minilm", "mpnet", "potion"), ())


def upper_case(data: Data) -> Findings:
    """Measure upper-case queries with the static encoder, alone and next to MiniLM, whose queries are as written."""
    encoder = StaticEncoder(EncoderOptions())

    def embed(texts: list[str]) -> Floats:
        return encoder.encode(texts, "query")

    def lowered(texts: list[str]) -> Floats:
        return encoder._encode_batch([text.lower() for text in texts])

    def as_written(texts: list[str]) -> Floats:
        return encoder._encode_batch([text.upper() for text in texts])

    columns: dict[str, tuple[Callable[[list[str]], Floats], Callable[[list[str]], Floats]]] = {
        "normal case": (embed, embed),
        "upper-case queries, not lower-cased": (as_written, embed),
        "upper-case queries": (lambda texts: embed([text.upper() for text in texts]), embed),
        "all texts lower-cased": (lowered, lowered),
    }
    rows = []
    for task, fused in product(data.tasks(), (False, True)):
        side, texts = Side(task, "minilm", "test"), dict(task.queries.rows())
        cells = []
        for embed_queries, embed_documents in columns.values():
            Q, D = embed_queries([texts[id_] for id_ in side.ids]), embed_documents(task.corpus.texts)
            if fused:
                Q, D = np.hstack([side.queries, Q]), np.hstack([side.documents, D])
            cells.append(f"{side.ndcg(Q @ normalize(D).T):.4f}")
        rows.append([f"{task.name} (test)", "vectors:minilm+static" if fused else "static", *cells])
    return Findings([table("nDCG@10 of exact search; nothing is fitted", ["task", "encoder", *columns], rows)])
