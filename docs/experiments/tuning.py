"""Experiment: adapters and models tuned on relevance judgements."""

import re
from collections.abc import Iterator

from experiments.results import data, p_text, results, searches, sources
from vecsmith.report import Plot, Table
from vecsmith.report.article import Article, Block, Placeholder, paper
from vecsmith.report.diagrams import Box, Diagram
from vecsmith.report.markdown_tables import cell, select
from vecsmith.studies.outline import bulleted

CHANGE = re.compile(r"(?P<before>[\d.]+) → (?P<after>[\d.]+)(?: \(p (?P<p>[\d.]+)(?:; (?P<popularity>[\d.]+))?\))?")
"""A cell: nDCG@10 before and after tuning, p, and nDCG@10 of the popularity baseline."""
GROUPS = ("all", "seen", "unseen")
"""Test queries: all, those with a relevant document that is relevant to a training query too, and the others."""
SECOND = "steps=100 learning_rate=5e-05"
"""Settings of a second training, in the name of its row."""


def article() -> Article:
    """Return the article."""
    return paper(
        "Tuning on relevance judgements",
        question=[
            "Relevance judgements of some hundred queries are at hand. Does training on them improve the retrieval of *new* "
            "queries, by an adapter of the existing vectors or by tuning the model itself? How much of a gain only comes "
            "from learning which documents tend to be relevant?"
        ],
        methods=methods(),
        data=data("minilm", "mpnet", "wordllama"),
        results=[*adapters(), *losses(), *without_judgements(), *models()],
        searches=searches("adapter", "an adapter that was trained without judgements changes"),
        conclusions=[bulleted(conclusions())],
        limits=[
            bulleted(
                [
                    "Only HotpotQA-2k, SciFact and pydocs have training judgements. On Cranfield, queries are extracted from the texts.",
                    "Models were tuned with the preset for few processor cores: few steps of small batches. Longer trainings "
                    "on a GPU may gain more.",
                    "MiniLM is the base of all adapters and models but the fused one.",
                    "Adapters of one method and loss were measured with three seeds, all others with one.",
                ]
            )
        ],
        sources=sources("adapters", "distillation", "tuned-models", "migration-tuned", "searches"),
    )


def methods() -> list[Block]:
    """Return the methods, with a diagram of each architecture and of the test."""
    adapter = Diagram(
        "adapter",
        "A query adapter: the index stays as it is",
        [
            [Box("query"), Box("documents")],
            [Box("MiniLM", "384 dimensions", "model"), Box("the same MiniLM", "384 dimensions", "model")],
            [Box("adapter", "y = xW, starts at the identity", "fitted"), Box("index", "floats, or codes of any codec", "stored")],
            [Box("score", "inner product")],
            [Box("ranking", "nDCG@10, beside that without the adapter", "measure")],
        ],
        [
            ("query", "MiniLM"), ("documents", "the same MiniLM"), ("MiniLM", "adapter"), ("the same MiniLM", "index"),
            ("adapter", "score"), ("index", "score"), ("score", "ranking"),
        ],
    )  # fmt: skip
    test = Diagram(
        "test",
        "What is trained on what, and what is reported",
        [
            [Box("training queries", "with judgements"), Box("test queries", "with judgements")],
            [Box("three folds", "no document is relevant in two"), Box("seen", "a relevant document is relevant in training too"), Box("unseen", "all others")],
            [Box("strength and steps", "chosen on held-out folds", "fitted"), Box("popularity", "counts of training judgements only", "model")],
            [Box("adapter or model", "trained on all training queries", "fitted")],
            [Box("verdict", "nDCG@10 before and after, paired test over queries", "measure")],
        ],
        [
            ("training queries", "three folds"), ("test queries", "seen"), ("test queries", "unseen"),
            ("three folds", "strength and steps"), ("strength and steps", "adapter or model"), ("adapter or model", "verdict"),
        ],
        [("seen", "popularity"), ("popularity", "verdict")],
    )  # fmt: skip
    return [
        "**Adapters** map the vectors of queries: `adapter` by a matrix, `adapter:rankR` by a matrix of rank R added to the "
        "identity, `adapter:mlpH` by a residual network with H hidden units. They have no offset, which would only learn which "
        "documents are popular.",
        adapter,
        "**Without judgements**, `vecsmith tune distill` trains an adapter to imitate hybrid search: the fusion of the vectors "
        "with BM25. It needs queries only, from a log or, as `extract`, from the documents.",
        "**Models.** `vecsmith tune model` trains the sentence-transformers model itself with a contrastive loss and mined hard "
        "negatives.",
        "**Test.** A test query is *seen* if one of its relevant documents is relevant to a training query too. Gains on seen "
        "queries may only mean that the training learned which documents are often relevant. Therefore both groups are reported, "
        "beside a *popularity* baseline that knows nothing but these counts.",
        test,
    ]


def _changes(table: Table) -> Iterator[tuple[list[str], str, re.Match[str]]]:
    """Yield each row, group of queries, and parsed cell of a table."""
    for row in table.rows:
        for group in GROUPS:
            if match := CHANGE.fullmatch(row[table.columns.index(group)]):
                yield row, group, match


def _gains(task: str, group: str, adapter: str = "", encoder: str = "minilm") -> list[tuple[float, float]]:
    """Return the gain of nDCG@10 in points and p, for every adapter of a task."""
    return [
        (100 * (float(match["after"]) - float(match["before"])), float(match["p"]))
        for row, of, match in _changes(results("adapters")[0])
        if row[0] == task and of == group and row[1] == encoder and row[2].startswith(adapter)
    ]


def _points(gains: list[tuple[float, float]]) -> str:
    """Return the smallest and the largest gain in points."""
    return f"{min(gains)[0]:.1f} to {max(gains)[0]:.1f} points"


def _p_values(gains: list[tuple[float, float]]) -> str:
    """Return the smallest and the largest p of gains."""
    return f"p from {min(p for _, p in gains):.3f} to {max(p for _, p in gains):.3f}"


def _range(p: list[str]) -> str:
    """Return the smallest and the largest of sorted p-values."""
    return f"{p[0]} to {p[-1]}" if float(p[-1]) else "< 0.001"


def _of_seeds(table: Table, name: str, column: str) -> list[re.Match[str]]:
    """Return the cells of a run with all seeds."""
    cells = (row[table.columns.index(column)] for row in table.rows if row[0] == name)
    return [match for text in cells if (match := CHANGE.fullmatch(text))]


def _span(cells: list[re.Match[str]], group: str) -> str:
    """Return the smallest and the largest figure of cells."""
    figures = sorted({match[group] for match in cells})
    return f"{figures[0]} to {figures[-1]}" if len(figures) > 1 else figures[0]


def adapters() -> list[Block]:
    """Return the results of the default adapter, with three seeds."""
    table = results("adapters")[0]
    rows = []
    for task in ("hotpotqa-2k", "scifact"):
        for group in GROUPS:
            measured = [
                match
                for row, of, match in _changes(table)
                if row[:3] == [task, "minilm", "adapter infonce"] and of == group
            ]
            p = sorted(match["p"] for match in measured)
            rows.append(
                [
                    task,
                    group,
                    measured[0]["before"],
                    _span(measured, "after"),
                    _range(p),
                    measured[0]["popularity"],
                ]
            )
    columns = ["task", "test queries", "before", "after, three seeds", "p", "popularity"]
    lines = {
        f"{task}, {group}": [
            (float(match["before"]), 100 * (float(match["after"]) - float(match["before"])))
            for row, of, match in _changes(table)
            if row[0] == task and of == group
        ]
        for task in ("hotpotqa-2k", "scifact")
        for group in ("seen", "unseen")
    }
    plot = Plot(
        "gains",
        "Gains of all adapters, losses and seeds",
        "nDCG@10 before",
        "gain in points of nDCG@10",
        lines,
        joined=False,
    )
    codes = [[row[0], row[1], row[3], *row[-1].split(" → ")] for row in table.rows if " → " in row[-1]]
    return [
        "### Adapters of queries",
        Table("adapter", "nDCG@10 of MiniLM with `adapter` and the loss infonce".replace("`", ""), columns, rows),
        plot,
        "The same adapters in front of an index of codes, of which no document is encoded again:",
        Table(
            "codes",
            "nDCG@10 of all test queries on codes of trellis48B",
            ["task", "encoder", "seed", "before", "after"],
            codes,
        ),
    ]


def losses() -> list[Block]:
    """Return the results of every method and loss."""
    table = results("adapters")[0]
    columns = ["task", "encoder", "adapter", "all", "seen", "unseen"]
    title = "nDCG@10 before → after, in parentheses p and the popularity baseline, seed 0"
    return ["### Every method and loss", select(table, {"seed": "0"}, columns, title)]


def without_judgements() -> list[Block]:
    """Return the results of adapters that imitate hybrid search, with all seeds in one row."""
    groups: dict[tuple[str, str, str], list[re.Match[str]]] = {}
    for row, of, match in _changes(results("distillation")[0]):
        if of == "all":
            origin = "sentences of documents" if row[2].endswith("extract") else "of the task"
            groups.setdefault((row[0], row[1], origin), []).append(match)
    rows = []
    for key, measured in groups.items():
        p = sorted(match["p"] for match in measured)
        rows.append([*key, measured[0]["before"], _span(measured, "after"), _range(p)])
    columns = ["task", "encoder", "training queries", "before", "after, three seeds", "p"]
    title = "nDCG@10 of all test queries with an adapter that imitates hybrid search"
    return [
        "### Without judgements",
        "The adapter learns from unjudged queries and the ranking of hybrid search. At search time it needs no lexical index.",
        Table("distillation", title, columns, rows),
    ]


def models() -> list[Block]:
    """Return the results of tuned models."""
    table, judgements, codes, elsewhere = results("tuned-models")
    plans = next(table for table in results("migration-tuned") if "predicted" in table.columns)
    columns = ["task and recipe", "seed", "step", *GROUPS, "float32, all", "verdict", "minutes"]
    return [
        "### Tuned models",
        select(
            table,
            columns=columns,
            title="nDCG@10 before → after tuning MiniLM; step: training steps of the kept model",
        ),
        "How many judgements does each method need?",
        select(
            judgements,
            title="nDCG@10 of all test queries before → after tuning, by the number of judged training queries",
        ),
        "`queries_only` trains the queries alone, so that the index of untuned documents stays. `codec=trellis24B` computes the loss on "
        "decoded codes too. With `distill`, half of the loss of the queries imitates hybrid search. A model that was trained for one codec "
        "also gains with the others:",
        select(codes, title="nDCG@10 of all test queries before → after tuning, on cross-fitted codes"),
        "The same models on tasks for which they were not trained:",
        select(
            elsewhere, title="nDCG@10 before → after tuning on tasks for which the model was not trained, float vectors"
        ),
        "A tuned model is a new model. The migration from MiniLM to the tuned model of the recipe contrastive, seed 0:",
        select(
            plans,
            {"new": "vectors:tuned"},
            ["pairs", "option", "predicted", "90 % interval", "measured"],
            "Share of the nDCG@10 of an index that the tuned model embedded, HotpotQA-2k",
        ),
        Placeholder(
            "further recipes on some tasks, more seeds of most recipes, and trainings on a GPU",
            "They have not been run. Training and embedding take the minutes of processor time in the table.",
        ),
    ]


def _distilled() -> list[str]:
    """Return what follows from adapters without judgements."""
    table = results("distillation")[0]
    gains = [
        (row, 100 * (float(match["after"]) - float(match["before"])))
        for row, of, match in _changes(table)
        if of == "all"
    ]
    from_log = [gain for row, gain in gains if row[2].endswith("of the task")]
    extracted = [gain for row, gain in gains if row[2].endswith("extract")]
    lost = sum(gain <= 0 for _, gain in gains)
    return [
        f"**Queries without judgements are worth almost as much.** Adapters that imitate hybrid search gain {min(from_log):.1f} to "
        f"{max(from_log):.1f} points when they learn from unjudged queries, and {min(extracted):.1f} to {max(extracted):.1f} points from "
        f"sentences of the documents. Of {len(gains)} runs with four models, {lost or 'none'} lost."
    ]


def _tuned_for_codes() -> list[str]:
    """Return what follows from trainings of queries alone, and for codes."""
    table, _, codes, _ = results("tuned-models")
    queries = _of_seeds(table, "hotpotqa-2k contrastive queries_only", "all")
    trainings = ("", " codec=trellis24B", " codec=trellis24B, then queries_only distill steps=48")
    plain, aware, again = (
        CHANGE.fullmatch(cell(codes, "trellis24B", {"task and recipe": f"hotpotqa-2k contrastive{each}", "seed": "0"}))
        for each in trainings
    )
    rounds = f"hotpotqa-2k ranked-list, then contrastive codec=trellis24B {SECOND}"
    floats, bytes_48 = (_of_seeds(codes, rounds, codec) for codec in ("float32", "trellis48B"))
    assert plain and aware and again
    return [
        f"**Training the queries alone keeps the index**, and gains nearly half as much there: {_span(queries, 'after')} with {len(queries)} seeds.",
        f"**Train for the codec**: on 24 bytes, the model that was trained on decoded codes has {aware['after']}, the other one {plain['after']}. Both were trained from "
        f"a model with {plain['before']} there. **Then train the queries again**, against these codes: {again['after']}.",
        f"**Two rounds gain most** on HotpotQA-2k, with {len(floats)} seeds: `ranked-list`, then `contrastive` with negatives mined by the first model, have "
        f"{_span(floats, 'after')} with float vectors and {_span(bytes_48, 'after')} with 48 bytes. Before tuning, they were {_span(floats, 'before')} and "
        f"{_span(bytes_48, 'before')}.",
    ]


def conclusions() -> list[str]:
    """Return what follows, with figures of the tables."""
    hotpot, scifact = _gains("hotpotqa-2k", "unseen"), _gains("scifact", "unseen")
    seen = _gains("scifact", "seen", "adapter infonce")
    where = {"task": "scifact", "encoder": "minilm", "adapter": "adapter infonce", "seed": "0"}
    match = CHANGE.fullmatch(cell(results("adapters")[0], "seen", where))
    assert match
    fused = _gains("scifact", "unseen", encoder="minilm+wordllama")
    row = next(row for row in results("tuned-models")[0].rows if row[0] == "hotpotqa-2k contrastive")
    trained, unseen = CHANGE.fullmatch(row[3]), CHANGE.fullmatch(row[5])
    assert trained and unseen
    return [
        f"**New queries gain a little.** With unseen documents, adapters gain {_points(hotpot)} on HotpotQA-2k ({_p_values(hotpot)}).",
        f"**Most of the gain on SciFact is popularity.** Seen queries gain {_points(seen)}, but the popularity "
        f"baseline alone reaches {match['popularity']}, where the adapter of seed 0 has {match['after']}. With unseen documents no adapter of MiniLM gains "
        f"significantly (p ≥ {min(p for _, p in scifact):.2f}).",
        f"**On vectors fused with WordLlama's, adapters gain there too**: {_points(fused)} on unseen documents, with {len(fused)} seeds ({_p_values(fused)}).",
        *_distilled(),
        f"**Tuning the model gains more where judgements are many**: on HotpotQA-2k, {trained['before']} becomes {trained['after']} ({p_text(trained['p'])}), "
        f"and with unseen documents {unseen['before']} becomes {unseen['after']} ({p_text(unseen['p'])}). All documents must be embedded again.",
        *_tuned_for_codes(),
        "**Report seen and unseen documents apart.** Without it, the adapter on SciFact would look much better than it is.",
    ]
