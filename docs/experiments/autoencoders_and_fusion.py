"""Experiment: autoencoders, and fusion of models."""

from dataclasses import replace
from statistics import fmean

from experiments.results import ABSOLUTE, ALL, MODELS, TASKS, data, p_text, results, searches, sources, with_ndcg
from vecsmith.report import Plot, Table
from vecsmith.report.architectures import autoencoder_diagram, codec_diagram, protocol_diagram
from vecsmith.report.article import Article, Block, paper
from vecsmith.report.conclusions import percent_of
from vecsmith.report.markdown_tables import cell, select
from vecsmith.studies.outline import bulleted

SPLITS = dict.fromkeys(TASKS, ALL)
MINILM = {"minilm": MODELS["minilm"]}
PAIR = {name: MODELS[name] for name in ("minilm", "wordllama")}
REDUCERS = {"cut": "truncated", "pca": "PCA", "autoencoder": "weighted components", "trained": "trained autoencoder"}
FAMILIES = {
    "equal weights, autoencoder": "fuse(m1,m2),autoencoder{}",
    ":fit, autoencoder": "fuse(m1,m2):fit,autoencoder{}",
    ":fit, PCA": "fuse(m1,m2):fit,pca{}",
}


def article() -> Article:
    """Return the article."""
    return paper(
        "Autoencoders and fusion",
        question=[
            "Embedding vectors are long. How many dimensions can be left out before retrieval suffers, and does training an "
            "autoencoder help more than a closed form? Several models know different things. Do their vectors, put side by "
            "side and then reduced to the size of one model, retrieve better than one model alone?"
        ],
        methods=methods(),
        data=data(*MODELS),
        results=[*widths(), *pairs(), *reduced(), *codes(), *training(), *held_out()],
        searches=searches("pca"),
        conclusions=[bulleted(conclusions())],
        limits=[
            bulleted(
                [
                    "One seed was measured. On Cranfield, with 225 queries, a difference of two points is within chance.",
                    "The constants of the weighted components and of the fusion were chosen on these collections, one value "
                    "for all. The built-in collection `pydocs` was used for no choice.",
                    "A fusion embeds every text by each of its models. A static model costs little; a second transformer "
                    "doubles the time.",
                ]
            )
        ],
        sources=sources(
            "autoencoder-dimensions", "matryoshka", "reducers", "fusion-pairs", "fusion", "fusion-codes", "quantizers",
            "held-out", "searches", "baselines",
        ),
    )  # fmt: skip


def methods() -> list[Block]:
    """Return the methods, with a diagram of each architecture."""
    return [
        "**Autoencoders.** `autoencoderK` is a closed form: the first K principal components, each weighted by its second "
        "moment to the power −1/8. The weights compensate for a few directions that all texts share. Nothing is trained.",
        autoencoder_diagram("autoencoder192", MODELS["minilm"], "autoencoder"),
        "`autoencoderK:linear` starts there and is trained: noisy documents serve as pseudo-queries, and their ranking by "
        "the short vectors shall be the ranking by the long ones. `autoencoderK:mlp1` adds a hidden layer to the encoder. "
        "The parameters of lowest validation loss are kept, which may be the initial ones.",
        autoencoder_diagram("autoencoder192:mlp1", MODELS["minilm"], "autoencoder-mlp1"),
        "**Fusion.** `fuse(A,B:w)` puts the unit vectors of the models side by side, the second weighted by w. `:fit` "
        "chooses the weights of the models and of their components on documents alone, without queries. A reducer and a "
        "quantizer may follow.",
        codec_diagram("fuse(minilm,wordllama):fit,pca320,trellis48B", PAIR, "fusion-architecture"),
        "**Protocol.** Every codec is cross-fitted: each half of the documents is encoded by a codec that was fitted on the "
        "other half. Queries stay float32.",
        protocol_diagram(2, "codec"),
    ]


def widths() -> list[Block]:
    """Return the results on single models."""
    table, losses = results("autoencoder-dimensions")
    mean = {"task": "mean of 2"}
    lines = {
        said: [(float(row[1]), percent_of(row[table.columns.index(name)])) for row in select(table, mean).rows]
        for name, said in REDUCERS.items()
    }
    matryoshka = results("matryoshka")[0]
    static = {
        f"{model}, {REDUCERS[name]}": [
            (float(row[1]), percent_of(row[matryoshka.columns.index(name)]))
            for row in select(matryoshka, {**mean, "encoder": f"vectors:{model}"}).rows
        ]
        for model in ("potion", "wordllama")
        for name in ("cut", "pca", "autoencoder")
    }
    y = "nDCG@10, % of float32"
    return [
        "### One model, fewer dimensions",
        Plot("widths-minilm", "MiniLM by width, mean of SciFact and Cranfield", "dimensions", y, lines),
        "Truncation loses most: MiniLM was not trained for it. PCA and the weighted components are close to each other, and "
        "training the autoencoder gains nothing: its validation loss hardly falls below that of the closed form "
        f"({_fall(losses)} at most).",
        _by_share(),
        ABSOLUTE,
        Plot("widths-static", "Static models by width, mean of SciFact and Cranfield", "dimensions", y, static),
        "Static models gain from the weights even at full width, because a few directions dominate their inner products.",
    ]


def _fall(losses: Table) -> str:
    start, best = (losses.columns.index(name) for name in ("start", "best"))
    return f"{max(1 - float(row[best]) / float(row[start]) for row in losses.rows):.0%}"


def _by_share() -> Table:
    """Return a table of PCA and the weighted components at full, half and a quarter of the width, for every model."""
    rows = []
    for each in results("reducers"):
        model, _, protocol = each.title.partition(", ")
        if protocol != "cross-fitted":
            continue
        measured = with_ndcg(each, model, SPLITS, "")
        for share in (1, 2, 4):
            width = MODELS[model] // share
            specs = [f"`pca{width}`" if share > 1 else "`float32`", f"`autoencoder{width}`"]
            rows.append([model, str(width), *(cell(measured, "mean", {"codec": spec}) for spec in specs)])
    title = "nDCG@10 at full, half and a quarter of the width, mean of the three tasks; share of the full vectors"
    return Table("shares", title, ["model", "width", "PCA", "weighted components"], rows)


def pairs() -> list[Block]:
    """Return the results on pairs of models."""
    table = with_ndcg(
        results("fusion-pairs")[0],
        "",
        SPLITS,
        "Fused models, cross-fitted; share of the first model alone; p: paired over queries",
    )
    return ["### Several models side by side", table]


def reduced() -> list[Block]:
    """Return the results on fused and reduced vectors."""
    table = results("fusion")[0]
    shown = with_ndcg(
        replace(table, columns=["models", *table.columns[1:]], rows=[[_plain(row[0]), *row[1:]] for row in table.rows]),
        "minilm",
        SPLITS,
        "MiniLM and WordLlama, fused and reduced; m1 is MiniLM and m2 is WordLlama; share of MiniLM alone",
    )
    lines = {
        name: [
            (float(row[2]), percent_of(row[table.columns.index("mean")]))
            for row in table.rows
            if row[1] == template.format(row[2])
        ]
        for name, template in FAMILIES.items()
    }
    plot = Plot(
        "fused-widths",
        "MiniLM and WordLlama by width, mean of three tasks",
        "dimensions",
        "nDCG@10, % of MiniLM",
        lines,
    )
    return ["### Fused and reduced", plot, shown]


def _plain(encoder: str) -> str:
    return encoder.replace("vectors:", "")


def codes() -> list[Block]:
    """Return the results on fused and quantized vectors."""
    fused, alone = results("fusion-codes")[0], results("quantizers")[0]
    lines = {
        "MiniLM and WordLlama, fused": _trellis(fused, "fuse(minilm,wordllama):fit,trellis"),
        "MiniLM alone": _trellis(alone, "trellis"),
    }
    table = with_ndcg(
        fused,
        "minilm",
        SPLITS,
        "MiniLM and WordLlama, fused and quantized; share of MiniLM's float32 vectors of 1,536 bytes",
    )
    return [
        "### Fused and quantized",
        Plot(
            "fused-bytes",
            "Trellis codes by size, mean of three tasks",
            "bytes per vector",
            "nDCG@10, % of MiniLM's float32",
            lines,
        ),
        select(table, columns=[name for name in table.columns if name != "models"]),
    ]


def _trellis(table: Table, beginning: str) -> list[tuple[float, float]]:
    codec, size, mean = (table.columns.index(name) for name in ("codec", "bytes", "mean"))
    points = [(float(row[size]), percent_of(row[mean])) for row in table.rows if row[codec].startswith(beginning)]
    return sorted(points)


def training() -> list[Block]:
    """Return the course of trainings."""
    table = results("fusion")[1]
    lines: dict[str, list[tuple[float, float]]] = {}
    for task, preset, _, loss, ndcg in table.rows:
        lines.setdefault(f"{task}, {preset}", []).append((float(loss), float(ndcg)))
    lowest = sum(min(line)[0] == line[0][0] for line in lines.values())
    return [
        "### Does a lower loss mean better retrieval?",
        Plot(
            "losses",
            "Checkpoints of autoencoders of the fused vectors at half of the width",
            "validation loss",
            "nDCG@10",
            lines,
            joined=False,
        ),
        f"Each point is a checkpoint. In {lowest} of {len(lines)} trainings the initial parameters, a closed form, have the "
        "lowest loss, and they are kept. With a hidden layer (`mlp1`), a higher loss goes with worse retrieval; without one, "
        "the loss says little.",
    ]


def held_out() -> list[Block]:
    """Return the results on the collection that was used for no choice."""
    table = results("held-out")[0]
    return ["### A collection that was used for no choice", _share(table)]


def _share(table: Table) -> Table:
    """Return a table whose column nDCG@10, which holds shares of the baseline, says so."""
    columns = ["share" if name == "nDCG@10" else name for name in table.columns]
    return replace(table, title=f"{table.title} over the queries", columns=columns)


def conclusions() -> list[str]:
    """Return what follows, with figures of the tables."""
    sets, reducers, codes = results("fusion-pairs")[0], results("fusion")[0], results("fusion-codes")[0]
    minilm = next(table for table in results("reducers") if table.title == "minilm, cross-fitted")
    fitted = [row for row in sets.rows if row[1].endswith(":fit")]
    gains = [percent_of(row[sets.columns.index("mean")]) - 100 for row in fitted]
    fixed = [percent_of(row[sets.columns.index("mean")]) - 100 for row in sets.rows if row[1].endswith("0.7)")]
    narrow = cell(reducers, "mean", {"codec": "fuse(m1,m2):fit,pca240"})
    small = {"codec": "fuse(minilm,wordllama):fit,trellis48B"}
    pydocs = cell(results("held-out")[0], "nDCG@10", {"codec": "fuse(minilm,static):fit,trellis48B"})
    return [
        f"**Half of the dimensions are enough for MiniLM**: `autoencoder192` keeps {cell(minilm, 'mean', {'codec': '`autoencoder192`'})} "
        f"and `pca192` {cell(minilm, 'mean', {'codec': '`pca192`'})} of nDCG@10. A quarter is not: "
        f"{cell(minilm, 'mean', {'codec': '`autoencoder96`'})} and {cell(minilm, 'mean', {'codec': '`pca96`'})}.",
        f"**Training does not help.** The trained autoencoder with a hidden layer keeps {cell(minilm, 'mean', {'codec': '`autoencoder96:mlp1`'})} "
        "at a quarter of the width, less than the closed form.",
        f"**Every fusion gains**: {min(gains):.1f} to {max(gains):.1f} % with `:fit`, {min(fixed):.1f} to {max(fixed):.1f} % with the fixed "
        f"weight 0.7, {fmean(gains) - fmean(fixed):.1f} points less on the mean. A cheap static model as the second one is enough.",
        f"**Reduced to fewer dimensions than MiniLM has, the fusion is still better**: {narrow} in 240 dimensions.",
        f"**48 bytes of two models beat 1,536 bytes of one**: {cell(codes, 'mean', small)} ({p_text(cell(codes, 'p', small))}), and {pydocs} on "
        "`pydocs`, which was used for no choice.",
    ]
