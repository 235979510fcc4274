"""Experiment: translators between four models, both ways."""

from collections.abc import Callable
from dataclasses import replace
from itertools import permutations
from statistics import fmean

from experiments.results import MODELS, TEST, baseline, data, results, searches, sources
from vecsmith.evaluation.translation import FOLDS
from vecsmith.report import Plot, Table
from vecsmith.report.architectures import protocol_diagram, translator_diagram
from vecsmith.report.article import Article, Block, Placeholder, paper
from vecsmith.report.conclusions import percent_of
from vecsmith.report.markdown_tables import cell, select
from vecsmith.report.translators import MODE_DESCRIPTIONS as SAID
from vecsmith.studies.outline import bulleted

MINILM, MPNET = (("minilm", MODELS["minilm"]), ("mpnet", MODELS["mpnet"]))
NETWORKS = {"linear": 0, "mlp1": 1, "mlp1x8": 8, "mlp1x32": 32}
"""Translators by the width of their hidden layer, divided by the smaller dimensions of the two models."""
SIDES = {"queries": 3, "documents": 4, "both": 5}
"""Tables of the earlier study by the translated side."""
TASKS = ("scifact", "cranfield", "hotpotqa-2k")
SLOW = ("mlp1x8", "mlp1x32", "mlp2", "mlp2x8")


def article() -> Article:
    """Return the article."""
    return paper(
        "Translators between four models",
        question=[
            "An index holds the vectors of one model, and queries come from another. Can a fitted map translate between their "
            "spaces, so that no text is embedded again? All ordered pairs of four models are asked for, with linear maps and "
            "networks of every width, fitted on 80 % of the documents and tested on the other 20 %."
        ],
        methods=methods(),
        data=data(*MODELS),
        results=[*all_pairs(), *networks(), *errors(), *number_of_pairs(), *beside(), *ceiling(), *stored()],
        searches=searches("procrustes", "the translation changes"),
        conclusions=[bulleted(conclusions())],
        limits=[
            bulleted(
                [
                    "Seed 0. The translators are fitted on documents, and queries are another kind of text.",
                    "Figures above 100 % come from sources that find documents which the target model misses.",
                    "If queries *and* documents are translated, both are changed alike. This shows that little information is "
                    "lost, but has no practical use: the source's own index does the same.",
                    "Wide networks were fitted once each, not five times, because a fit takes minutes. On HotpotQA-2k there are none.",
                ]
            )
        ],
        sources=sources("translators-all-pairs", "translators-networks", "translators-study", "translators", "translators-beside", "translation-ceiling", "translator-speed", "translated-sets", "searches", "baselines"),
    )  # fmt: skip


def methods() -> list[Block]:
    """Return the methods, with a diagram of each architecture and of what is measured."""
    return [
        "**Linear maps.** `linear` is ridge regression, `linear:rankR` has rank R, `procrustes` is a rotation, and `canonical` "
        "lies between a rotation and ridge regression.",
        translator_diagram("canonical", MINILM, MPNET),
        "**Networks.** `mlp1xW` adds to the linear map a hidden layer of W times the smaller of the two dimensions, and `mlp2xW` "
        "two of them. Training starts at the linear map.",
        translator_diagram("mlp2x8", MINILM, MPNET, "network"),
        "**Local maps.** `local8` corrects the linear map in eight clusters, softly mixed.",
        translator_diagram("local8", MINILM, MPNET, "local"),
        f"**Protocol.** The documents are split into {FOLDS} parts. A translator is fitted on four of them and translates the fifth. "
        "Queries are translated by the translator of the first part. nDCG@10 is compared with the target model's own index.",
        protocol_diagram(FOLDS, "translator", "translator-protocol"),
    ]


def _study() -> list[Table]:
    return results("translators-study")


def _name(encoder: str) -> str:
    return encoder.removeprefix("vectors:")


def _cells(side: str) -> dict[tuple[str, str, str], dict[str, str]]:
    """Return nDCG@10 and its share by task and models, and by translator.

    The study of all pairs has both. The earlier study, of other collections and networks, has only the share.
    """
    cells: dict[tuple[str, str, str], dict[str, str]] = {}
    earlier = _study()[SIDES[side]]
    for row in earlier.rows:
        task, source, target = row[0], _name(row[1]), _name(row[2])
        own = baseline(task, target, TEST)
        cells[task, source, target] = {
            method: f"{own * percent_of(text) / 100:.3f} ({text})"
            for method, text in zip(earlier.columns[3:], row[3:], strict=True)
            if text
        }
    table = next(table for table in results("translators-all-pairs") if f": {SAID[side]}" in table.title)
    for row in table.rows:
        known = cells.setdefault((row[0], _name(row[1]), _name(row[2])), {})
        known.update(zip(table.columns[3:], row[3:], strict=True))
    return cells


def all_pairs() -> list[Block]:
    """Return the retrieval of all pairs of models, with absolute figures."""
    blocks: list[Block] = ["### All pairs, both ways"]
    everything = list(permutations(MODELS, 2))
    cells: dict[tuple[str, str, str], dict[str, str]] = {}
    for side, said in SAID.items():
        cells = _cells(side)
        methods = list(dict.fromkeys(method for known in cells.values() for method in known))
        rows = [
            [*names, f"{baseline(names[0], names[2], TEST):.4f}", *(cells[names].get(method, "") for method in methods)]
            for names in sorted(cells, key=lambda names: (TASKS.index(names[0]), everything.index(names[1:])))
        ]
        title = f"nDCG@10, and in parentheses the share of the target model's own index: {said}"
        blocks.append(Table(side, title, ["task", "from", "to", "own index", *methods], rows))
    for task in TASKS:
        missing = [f"{a} → {b}" for a, b in everything if (task, a, b) not in cells]
        if missing:
            which = f"{len(missing)} of {len(everything)} pairs on {task}: {', '.join(missing)}"
            blocks.append(Placeholder(which, "The study has not been run on them."))
    return blocks


def networks() -> list[Block]:
    """Return the retrieval and error of networks by width: all pairs on Cranfield, four on SciFact."""
    queries, error = _networks("queries"), results("translators-networks")[4]
    widths = _study()[2]
    return [
        "### Networks of every width",
        *_network_plots("Cranfield", _by_width(queries, percent_of), _by_width(error, float)),
        _without_prefix(replace(queries, title=f"Networks on Cranfield: nDCG@10, and in parentheses the share of the target model's own index: {SAID['queries']}")),
        _without_prefix(replace(error, title="Networks on Cranfield: 1,000 × squared error per dimension")),
        *_network_plots(
            "SciFact",
            _by_width(widths, lambda text: percent_of(text.split(" / ")[1])),
            _by_width(widths, lambda text: float(text.split(" / ")[0])),
        ),
        _without_prefix(replace(widths, title="Networks on SciFact: 1,000 × squared error per dimension / retention with queries translated, first part only")),
        Placeholder(
            "networks of eight more pairs on SciFact, and networks on HotpotQA-2k",
            f"The study has not been run on them; {', '.join(SLOW)} take minutes for each fit.",
        ),
    ]  # fmt: skip


def _networks(side: str) -> Table:
    """Return the retrieval of networks on Cranfield by the translated side."""
    return next(table for table in results("translators-networks") if f": {SAID[side]}" in table.title)


def _by_width(table: Table, value: Callable[[str], float]) -> dict[str, list[tuple[float, float]]]:
    """Return the value of each network by its width, for each pair of models."""
    places = {name: table.columns.index(name) for name in NETWORKS}
    start = table.columns.index("from")
    return {
        f"{_name(row[start])} → {_name(row[start + 1])}": [
            (float(width), value(row[places[name]])) for name, width in NETWORKS.items()
        ]
        for row in table.rows
    }


def _network_plots(
    task: str, retention: dict[str, list[tuple[float, float]]], error: dict[str, list[tuple[float, float]]]
) -> list[Plot]:
    x = "width of the hidden layer, over the smaller dimensions (0: linear)"
    return [
        Plot(
            f"network-retention-{task.lower()}",
            f"Queries translated by networks of one hidden layer, {task}",
            x,
            "nDCG@10, % of the target's own index",
            retention,
        ),
        Plot(
            f"network-error-{task.lower()}",
            f"Error of networks of one hidden layer, {task}",
            x,
            "1,000 × squared error per dimension",
            error,
        ),
    ]


def _without_prefix(table: Table) -> Table:
    """Return a table whose cells have the names of the models only."""
    return replace(table, rows=[[_name(each) for each in row] for row in table.rows])


def errors() -> list[Block]:
    """Return the geometry of the translated vectors, beside their retrieval."""
    _, means, *_ = _study()
    columns = [
        "translator",
        "queries",
        "documents",
        "cosine",
        "linear_cka",
        "rbf_cka",
        "jaccard",
        "edit_distance",
        "rbo",
    ]
    mse = _study()[6]
    lines: dict[str, list[tuple[float, float]]] = {}
    for place, method in enumerate(mse.columns[3:], 3):
        for error, retrieved in zip(mse.rows, _study()[SIDES["queries"]].rows, strict=True):
            if error[0] == "scifact":
                lines.setdefault(method, []).append((float(error[place]), percent_of(retrieved[place])))
    return [
        "### A smaller error is not better retrieval",
        select(
            means,
            columns=columns,
            title="SciFact, means over six pairs: share of the target's own index, and similarity of the two spaces",
        ),
        Plot(
            "error-retrieval",
            "Each point is a pair of models on SciFact",
            "1,000 × squared error per dimension",
            "nDCG@10 with queries translated, %",
            lines,
            joined=False,
        ),
        "`procrustes` has the largest error and `local8` the smallest. Ridge regression shrinks the small components, which separate "
        "similar documents.",
    ]


def number_of_pairs() -> list[Block]:
    """Return the retrieval by the number and origin of the training pairs."""
    table = results("translators")[0]
    chosen = select(table, {"translator": "canonical", "models": ["minilm → mpnet", "mpnet → minilm"]})
    chosen = replace(chosen, rows=[[row[0].replace("of its own", "of the corpus"), *row[1:]] for row in chosen.rows])
    rows = []
    for pairs, task, models, _, queries, documents, _ in chosen.rows:
        own = baseline(task, models.rpartition(" → ")[2], TEST)
        rows.append(
            [pairs, task, models, *(f"{own * percent_of(text) / 100:.3f} ({text})" for text in (queries, documents))]
        )
    lines: dict[str, list[tuple[float, float]]] = {}
    for pairs, task, models, _, queries, documents, _ in chosen.rows:
        if pairs.endswith(" of hotpotqa-2k") and models == "minilm → mpnet":
            count = float(pairs.split(" ")[0].replace(",", ""))
            for side, text in (("queries", queries), ("documents", documents)):
                lines.setdefault(f"{task}, {side} translated", []).append((count, percent_of(text)))
    columns = ["pairs", "task", "models", "queries translated", "documents translated"]
    return [
        "### How many pairs, and of which text",
        Plot(
            "pairs",
            "canonical from minilm to mpnet, fitted on other text (HotpotQA-2k)",
            "pairs",
            "nDCG@10, % of the target's own index",
            lines,
        ),
        Table(
            "number-of-pairs",
            "canonical: nDCG@10, and in parentheses the share of the target's own index",
            columns,
            rows,
        ),
    ]


def beside() -> list[Block]:
    """Return the retrieval with the scores of a static model added."""
    table = results("translators-beside")[0]
    chosen = select(table, {"pairs": ["4,000 of its own", "1,000 of its own", "19,000 of hotpotqa-2k"]})
    rows = [[row[0].replace("of its own", "of the corpus"), *row[1:]] for row in chosen.rows]
    return [
        "### With a static model beside it",
        replace(chosen, title=table.title.split(": ", 1)[1], rows=rows),
        "The weights are equal and were not chosen on any data.",
    ]


def ceiling() -> list[Block]:
    """Return the estimated upper limit."""
    table = results("translation-ceiling")[0]
    rows = []
    for a, b in permutations(MODELS, 2):
        cells = []
        for task in ("scifact", "cranfield", "hotpotqa-2k"):
            known = select(table, {"task": task, "models": f"{a} → {b}"}).rows
            cells.append(
                f"{max(percent_of(r[3]) for r in known):.1f}% / {max(percent_of(r[4]) for r in known):.1f}%"
                if known
                else ""
            )
        if any(cells):
            rows.append([a, b, *cells])
    title = "Share of the target's own index with queries / documents translated by the best of three maps that were fitted on the corpus and the test queries"
    return [
        "### The best possible map",
        Table("ceiling", title, ["from", "to", "scifact", "cranfield", "hotpotqa-2k"], rows),
    ]


def stored() -> list[Block]:
    """Return the translated sets that a run has kept in a store."""
    table = results("translated-sets")[0]
    return [
        "### Translated sets",
        "`vecsmith study translators --store SETS` keeps the translated documents and queries of every experiment in ChromaDB. "
        "`vecsmith store query NAME` searches them. These are the sets of `canonical` on Cranfield:",
        table,
    ]


def conclusions() -> list[str]:
    """Return what follows, with figures of the tables."""
    scifact, widths, queries, documents = (_study()[number] for number in (1, 2, 3, 4))

    def mean(method: str, side: str) -> str:
        return cell(scifact, side, {"translator": method})

    def pair(table: Table, source: str, target: str, method: str, task: str = "scifact") -> str:
        return cell(table, method, {"task": task, "from": f"vectors:{source}", "to": f"vectors:{target}"})

    small_networks = _networks("queries")
    gain, small = _gains(widths), _gains(small_networks)
    other = {"pairs": "19,000 of hotpotqa-2k", "task": "scifact", "models": "minilm → mpnet", "translator": "canonical"}
    table = results("translators")[0]
    static = results("translators-beside")[0]
    own = next(row for row in static.rows if row[:3] == ["4,000 of its own", "scifact", "minilm → mpnet"])
    speed = results("translator-speed")[0].rows[0]
    return [
        f"**Between transformer models, translation keeps about nine tenths on text like the pairs**: minilm → mpnet on SciFact keeps "
        f"{pair(queries, 'minilm', 'mpnet', 'canonical')} with queries and {pair(documents, 'minilm', 'mpnet', 'canonical')} with documents translated by "
        f"`canonical`. On HotpotQA-2k it is {pair(queries, 'minilm', 'mpnet', 'canonical', 'hotpotqa-2k')} and "
        f"{pair(documents, 'minilm', 'mpnet', 'canonical', 'hotpotqa-2k')}.",
        f"**Translate queries by a rotation, documents by `canonical`**: `procrustes` keeps {mean('procrustes', 'queries')} with queries, `canonical` "
        f"{mean('canonical', 'documents')} with documents, on the mean of six pairs on SciFact. Ridge regression keeps {mean('linear', 'queries')} and "
        f"{mean('linear', 'documents')}, although its vectors are nearer to the true ones (cosine {mean('linear', 'cosine')} against "
        f"{mean('procrustes', 'cosine')}). The rotation leads most toward a static model: {pair(queries, 'minilm', 'potion', 'procrustes')} against "
        f"{pair(queries, 'minilm', 'potion', 'canonical')} for minilm → potion.",
        f"**Wide networks gain over the linear map they start from**: {min(gain):.1f} to {max(gain):.1f} points on SciFact, {fmean(gain):.1f} on the mean of "
        f"{len(widths.rows)} pairs, for 32 times the width; {fmean(small):.1f} on the mean of {len(small)} pairs on Cranfield, which has a quarter of the "
        f"documents. Depth gains less. For {_closed_forms_win('scifact', widths)} of the {len(widths.rows)} pairs on SciFact and {_closed_forms_win('cranfield', small_networks)} of the "
        f"{len(small)} on Cranfield, a rotation or `canonical` keeps at least as much, at a thousandth of the time.",
        f"**Pairs of other text keep much less**: {cell(table, 'queries', other)} and {cell(table, 'documents', other)} with 19,000 pairs of HotpotQA-2k, on SciFact.",
        f"**A static model beside the translation closes most of the gap**: with 4,000 pairs of SciFact, translated queries keep {own[4]} alone and {own[5]} with its scores "
        "added.",
        f"**Translating a query costs microseconds**: {speed[3].split(' / ')[1]} µs for {speed[0]} ({speed[1]} dimensions).",
    ]


def _gains(networks: Table) -> list[float]:
    """Return the gain of the widest network over the linear map, in points of the target's own index, by pair."""
    wide, linear = (networks.columns.index(name) for name in ("mlp1x32", "linear"))
    return [percent_of(row[wide]) - percent_of(row[linear]) for row in networks.rows]


def _closed_forms_win(task: str, networks: Table) -> int:
    """Return the number of pairs for which a closed form keeps at least as much as every network."""
    closed, start = _cells("queries"), networks.columns.index("from")
    first = networks.columns.index("linear") + 1
    return sum(
        max(
            percent_of(closed[task, _name(row[start]), _name(row[start + 1])][name])
            for name in ("canonical", "procrustes")
        )
        >= max(map(percent_of, row[first:]))
        for row in networks.rows
    )
