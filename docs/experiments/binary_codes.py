"""Experiment: binary codes, stage by stage."""

from experiments.results import ABSOLUTE, ALL, MODELS, TEST, data, p_text, results, searches, sources, with_ndcg
from vecsmith.report import Plot, Table
from vecsmith.report.architectures import codec_diagram, protocol_diagram
from vecsmith.report.article import Article, Block, paper
from vecsmith.report.conclusions import percent_of
from vecsmith.report.diagrams import Box, Diagram
from vecsmith.report.markdown_tables import cell, select
from vecsmith.studies.outline import bulleted

SPLITS = {"hotpotqa-2k": ALL, "scifact": TEST, "cranfield": TEST}
MINILM = {"minilm": MODELS["minilm"]}
STAGES = {
    "binary": "the sign of every dimension",
    "median": "above or below the median",
    "thresholds": "a threshold trained for ranking",
    "itq{}B": "signs after a learned rotation (ITQ)",
    "grouped{}B": "correlated dimensions share a bit",
    "neural{}B": "a network predicts the bits",
    "binary-autoencoder{}B": "bits whose learned directions sum to the vector",
    "additive{}B": "sums of learned vectors, four bits each",
    "hybrid{}B": "1 to 4 bits per component, by its variance",
    "trellis{}B": "trellis-coded components",
}
"""Codecs of the experiment, from the simplest to the best, with what each adds."""
FAISS = ("faiss:RaBitQ", "faiss:PQ{}x4", "faiss:OPQ{0},PQ{0}")
SIZES = (96, 48, 24, 12)
QUERY = ("hotpotqa-2k", "scifact", "cranfield")


def article() -> Article:
    """Return the article."""
    return paper(
        "Binary codes, stage by stage",
        question=[
            "A float32 vector of MiniLM has 1,536 bytes. Its signs alone have 48. What does each further stage gain over the "
            "signs at the same size: thresholds, rotations, shared bits, networks, sums of learned vectors, and bits where the "
            "variance is? And does training with gradients help?"
        ],
        methods=methods(),
        data=data("minilm"),
        results=[*stages(), *sizes(), *rivals(), *training(), *hamming(), *decoding(), *transfer()],
        searches=searches("trellis"),
        conclusions=[bulleted(conclusions())],
        limits=[
            bulleted(
                [
                    "One model, MiniLM. `vecsmith fit auto` predicts the retention for your own vectors.",
                    "One seed, except for the training options. Other seeds change a figure by a few tenths of a point on "
                    "HotpotQA-2k and by up to one point on the other tasks.",
                    "Training options were searched on SciFact only.",
                    "Queries stay floats, except where the distance is a Hamming distance.",
                ]
            )
        ],
        sources=sources("quantizers", "binary-training", "hamming", "trellis", "transfer", "searches", "baselines"),
    )  # fmt: skip


def methods() -> list[Block]:
    """Return the methods, with a diagram of each architecture."""
    boxes = [
        Box(f"{number}. {name.format('N')}", said, "fitted") for number, (name, said) in enumerate(STAGES.items(), 1)
    ]
    ladder = Diagram(
        "stages",
        "The stages of the experiment: what each adds",
        [boxes[number : number + 2] for number in range(0, len(boxes), 2)],
        [],
    )
    return [
        "**Stages.** Each stage is a codec. All are measured at the same number of bytes.",
        ladder,
        "**Search.** Documents are codes. The query stays a float vector and is compared with the decoded code, without "
        "decoding it: most codes are scanned by lookup tables.",
        codec_diagram("trellis48B", MINILM, "binary-search"),
        "Between two codes of signs, the score is the Hamming distance.",
        "**Training.** `thresholds`, `groupedNB` and `neuralNB` are trained with gradients through a relaxation of the sign. "
        "The search of their options trains on one half of SciFact's training claims and chooses on the other half.",
        codec_diagram("neural24B", MINILM, "neural-search"),
        "**Protocol.** Every codec is cross-fitted: each half of the documents is encoded by a codec that was fitted on the "
        "other half.",
        protocol_diagram(2, "codec", "binary-protocol"),
    ]


def _table() -> Table:
    return results("quantizers")[0]


def stages() -> list[Block]:
    """Return the stages at one bit and at half a bit per dimension."""
    measured = with_ndcg(_table(), "minilm", SPLITS, "")
    columns = [*QUERY, "mean"]
    blocks: list[Block] = ["### Stage by stage"]
    for size in (48, 24):
        names = {name.format(size): said for name, said in STAGES.items()} | dict.fromkeys(
            (each.format(size * 2 if "PQ{}x4" in each else size) for each in FAISS), "FAISS, for comparison"
        )
        rows = [
            [codec, said, *select(measured, {"codec": codec}, columns).rows[0]]
            for codec, said in names.items()
            if any(row[1] == codec and abs(int(row[3]) - size) <= 8 for row in measured.rows)
        ]
        bits = {48: "one bit", 24: "half a bit"}[size]
        title = f"Codes of {size} bytes, {bits} per dimension (faiss:RaBitQ has 56 bytes); share of float32"
        blocks.append(
            Table(
                f"stages-{size}",
                title if size == 48 else title.replace(" (faiss:RaBitQ has 56 bytes)", ""),
                ["codec", "stage", *columns],
                rows,
            )
        )
    return [*blocks, ABSOLUTE]


def sizes() -> list[Block]:
    """Return the retention by bytes."""
    families = ("trellis", "hybrid", "additive", "binary-autoencoder", "neural", "itq", "grouped")
    table = _table()
    lines = {
        family: sorted(
            (float(row[3]), percent_of(row[-1]))
            for row in table.rows
            if row[1].startswith(family) and row[1].removeprefix(family)[:1].isdigit()
        )
        for family in families
    }
    lines["faiss:PQ"] = sorted(
        (float(row[3]), percent_of(row[-1])) for row in table.rows if row[1].startswith("faiss:PQ")
    )
    plot = Plot(
        "bytes", "Codes of MiniLM by size, mean of three tasks", "bytes per vector", "nDCG@10, % of float32", lines
    )
    return ["### Fewer bytes", plot]


def rivals() -> list[Block]:
    """Return the paired tests at one bit per dimension."""
    table = results("quantizers")[1]
    chosen = [
        row
        for row in table.rows
        if row[1] in ("trellis48B", "hybrid48B") or (row[1], row[3]) == ("thresholds", "binary")
    ]
    title = "Learned codes of 48 bytes against codes of their size: difference in points of float32's nDCG@10, mean of three tasks; paired test over the queries"
    kept = Table("rivals", title, table.columns, chosen)
    return ["### Against other codes of the same size", select(kept, columns=["codec", "against", "points", "p"])]


def training() -> list[Block]:
    """Return the search of training options."""
    chosen, options, _ = results("binary-training")
    columns = ["codec", "bytes", "dev", "nDCG@10", "retention", "p"]
    title = "Default options, and below them the options that are best on the validation claims; SciFact, test claims, mean and half the range of three seeds"
    losses = select(
        options,
        {"option": "loss"},
        ["codec", "value", "mean", "maximum"],
        "Losses: mean and best of all combinations, validation claims; share of float32",
    )
    return ["### Starts, relaxations and losses", select(chosen, columns=columns, title=title), losses]


def hamming() -> list[Block]:
    """Return the retention with coded and with float queries."""
    rows = []
    for codec in ("binary", "median", "itq48B"):
        row = [codec]
        for table in results("hamming"):
            for scoring in ("symmetric", "asymmetric"):
                where = {"codec": codec, "scoring": scoring}
                row.append(f"{cell(table, 'nDCG@10', where)} ({cell(table, 'retention', where)})")
        rows.append(row)
    names = [table.title.split(" ")[0] for table in results("hamming")]
    columns = ["codec", *(f"{name}, {query}" for name in names for query in ("coded query", "float query"))]
    return [
        "### If the query is a code too",
        Table("hamming", "Codes of 48 bytes by Hamming distance, and with float queries", columns, rows),
    ]


def decoding() -> list[Block]:
    """Return the ablation of the decoder of trellis codes."""
    table = select(
        results("trellis")[0],
        {"task": "hotpotqa-2k", "p": ["0.0", "1.0"]},
        ["decoded vector", "p", "96 B", "48 B", "24 B", "12 B"],
    )
    title = "Trellis codes on HotpotQA-2k, share of float32, mean of three seeds; p undoes the shrinkage of coarsely coded components, up to 1"
    return ["### What the decoder adds without a byte", select(table, title=title)]


def transfer() -> list[Block]:
    """Return the retention of codecs that were fitted on another collection."""
    tables = {table.title.split(" ")[0]: table for table in results("transfer")[:2]}
    rows = [
        [codec, *(f"{cell(table, 'nDCG@10', where)} ({cell(table, 'retention', where)})" for table in tables.values())]
        for codec in ("trellis48B", "hybrid48B", "additive48B", "binary-autoencoder48B", "trellis24B", "hybrid24B")
        for where in [{"codec": codec}]
    ]
    return [
        "### Fitted on another collection",
        Table("transfer", "Codecs fitted on the documents of HotpotQA-2k", ["codec", *tables], rows),
    ]


def conclusions() -> list[str]:
    """Return what follows, with figures of the tables."""
    table, tests = results("quantizers")
    chosen, options, _ = results("binary-training")

    def mean(codec: str) -> str:
        return cell(table, "mean", {"codec": codec})

    versus = {"codec": "thresholds", "against": "binary"}
    best = {"codec": "trellis48B", "against": "binary"}
    p_values = [float(row[-1]) for row in chosen.rows if row[-1]]
    contrastive = {"codec": "thresholds", "option": "loss", "value": "contrastive"}
    norm = results("trellis")[0]
    raw, full = (
        cell(norm, "24 B", {"task": "hotpotqa-2k", "decoded vector": kind, "p": p})
        for kind, p in (("raw", "0.0"), ("normalized", "1.0"))
    )
    return [
        f"**Signs keep {mean('binary')}.** Medians ({mean('median')}) and trained thresholds ({mean('thresholds')}) of the same "
        f"dimensions add nothing: {cell(tests, 'points', versus)} points for thresholds, {p_text(cell(tests, 'p', versus))}.",
        f"**A rotation helps** ({mean('itq48B')}), and bits of learned directions help more ({mean('binary-autoencoder48B')}).",
        f"**Bits where the variance is are best**: `hybrid48B` keeps {mean('hybrid48B')} and `trellis48B` {mean('trellis48B')}, "
        f"{cell(tests, 'points', best).lstrip('+')} points more than the signs ({p_text(cell(tests, 'p', best))}). At 24 bytes the trellis code leads with "
        f"{mean('trellis24B')}.",
        f"**Sharing bits costs most**: `grouped24B` keeps {mean('grouped24B')}.",
        f"**The search of training options does not help**: no chosen combination differs from the default on test claims "
        f"(p from {min(p_values):.2f}). The contrastive loss hurts thresholds, with {cell(options, 'mean', contrastive)} on the mean of its combinations.",
        f"**The decoder matters as much as the bits**: dividing by the norm and undoing the shrinkage raise 24 bytes on HotpotQA-2k from {raw} to {full}.",
    ]
