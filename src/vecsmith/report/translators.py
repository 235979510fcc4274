"""Tables and plots of the quality of translators."""

from collections.abc import Callable, Sequence
from statistics import fmean

from vecsmith.evaluation.ranked_lists import MEASURES
from vecsmith.evaluation.translation import MODES, NEIGHBORS, OF_QUERIES, ExperimentResult
from vecsmith.report.conclusions import highest
from vecsmith.report.findings import Findings, Plot, Table, ndcg_beside
from vecsmith.stores.stored_sets import StoredSet

LOW_RANK = "linear:rank"
"""Beginning of the specs of linear maps of low rank."""
MODE_DESCRIPTIONS = {
    "queries": "queries translated, the target's documents",
    "documents": "documents translated, the target's queries",
    "both": "queries and documents translated",
}

PLOTTED = {
    "queries": "nDCG@10 with translated queries, relative",
    "documents": "nDCG@10 with translated documents, relative",
    "both": "nDCG@10 with both translated, relative",
    "cosine": "cosine of true and translated documents",
    "mse": "squared error per dimension",
    "linear_cka": "linear CKA",
    "rbf_cka": "RBF CKA",
    "jaccard": f"Jaccard overlap of {NEIGHBORS} nearest neighbors",
    "edit_distance": "k-NN edit distance",
    "rbo": "rank-biased overlap of neighbors",
    "kendall_tau": "Kendall's τ of neighbors",
    "rank_similarity": "harmonic rank similarity of neighbors",
}
"""Labels of the measures that are plotted by pair of models and by rank."""


def findings(results: Sequence[ExperimentResult]) -> Findings:
    """Return the tables and plots of the results of experiments."""
    retention = "nDCG@10, and relative to the target model's own index"
    figures = _by_method(results)
    partial = [method for method in figures if not any("documents" in each for each in figures[method])]
    empty = f". Not all documents are translated by {', '.join(partial)}" if partial else ""
    seeds = ", ".join(map(str, sorted({result.experiment.seed for result in results})))
    neighborhoods = f"{NEIGHBORS} nearest neighbors, means over tasks, models and seeds ({seeds})"
    return Findings(
        [
            _method_table("methods", f"Means over tasks, models and seeds ({seeds}); {retention}{empty}", results),
            *(_mode_table(mode, f"{retention}: {said}{empty}", results) for mode, said in MODE_DESCRIPTIONS.items()),
            _table("squared-error", "1,000 × squared error per dimension", results, lambda f: f"{1000 * f['mse']:.3f}"),
            _neighborhood_table("document-neighbors", f"Documents: agreement of the {neighborhoods}", results, ""),
            _neighborhood_table("query-neighbors", f"Queries: agreement of the {neighborhoods}", results, OF_QUERIES),
            _table("neighbors", f"Jaccard overlap of {NEIGHBORS} nearest neighbors", results, _three_digits("jaccard")),
            _table(
                "edit-distance",
                f"Edit distance of the lists of {NEIGHBORS} nearest neighbors, divided by {NEIGHBORS}",
                results,
                _three_digits("edit_distance"),
            ),
            _table("kernels", "Linear CKA", results, _three_digits("linear_cka")),
        ],
        plots=[
            plot
            for measure, label in PLOTTED.items()
            for plot in (_pair_plot(measure, label, results), _rank_plot(measure, label, results))
            if plot.lines
        ],
    )


def conclusions(findings: Findings) -> list[str]:
    """Return a sentence about the best translator for each translated side, from the table of means."""
    table = findings.tables[0]
    sentences = []
    for mode, description in MODE_DESCRIPTIONS.items():
        column = table.columns.index(mode)
        if (best := highest(table.rows, column)) is not None:
            sentences.append(f"With {description}, `{best[0]}` is the best on the mean: nDCG@10 {best[column]}.")
    return sentences


def sets_table(stored: Sequence[StoredSet], where: str) -> Table:
    """Return a table of the translated sets that a store keeps, with the models that they come from and go to."""
    rows = [
        [
            each.name,
            each.provenance.dataset,
            each.split,
            each.provenance.translated_from,
            each.provenance.encoder,
            each.provenance.translator.partition(" ")[0],
            str(each.rows),
            str(each.dimensions),
        ]
        for each in sorted(stored, key=lambda each: each.name)
    ]
    columns = ["set", "texts", "part", "from", "to", "translator", "rows", "dimensions"]
    return Table("sets", f"Translated sets in ChromaDB, in {where}", columns, rows)


def _method_table(name: str, title: str, results: Sequence[ExperimentResult]) -> Table:
    """Return a table with a row for each translator: nDCG@10 and retention by mode, and similarities of the spaces."""
    columns = ["cosine", "linear_cka", "rbf_cka"]
    rows = [
        [method, *(_ndcg_and_retention(figures, mode) for mode in MODES), *_means(figures, columns)]
        for method, figures in _by_method(results).items()
    ]
    return Table(name, title, ["translator", *MODES, *columns], rows)


def _neighborhood_table(name: str, title: str, results: Sequence[ExperimentResult], suffix: str) -> Table:
    """Return a table with a row for each translator and a column for each measure of the agreement of neighborhoods."""
    columns = [f"{measure}{suffix}" for measure in MEASURES]
    rows = [[method, *_means(figures, columns)] for method, figures in _by_method(results).items()]
    return Table(name, title, ["translator", *MEASURES], rows)


def _by_method(results: Sequence[ExperimentResult]) -> dict[str, list[dict[str, float]]]:
    figures: dict[str, list[dict[str, float]]] = {}
    for result in results:
        figures.setdefault(result.experiment.method, []).append(result.figures)
    return figures


def _means(figures: Sequence[dict[str, float]], columns: Sequence[str]) -> list[str]:
    """Return the mean of each figure as text; empty where it was not measured."""
    values = ([each[column] for each in figures if column in each] for column in columns)
    return [f"{fmean(each):.3f}" if each else "" for each in values]


def _ndcg_and_retention(figures: Sequence[dict[str, float]], mode: str) -> str:
    measured = [each for each in figures if mode in each]
    if not measured:
        return ""
    return ndcg_beside(
        fmean(each[f"ndcg_{mode}"] for each in measured), f"{fmean(each[mode] for each in measured):.1%}"
    )


def _mode_table(mode: str, title: str, results: Sequence[ExperimentResult]) -> Table:
    return _table(f"{mode}-translated", title, results, lambda figures: _ndcg_and_retention([figures], mode))


def _pair_plot(measure: str, label: str, results: Sequence[ExperimentResult]) -> Plot:
    """Return a plot of a measure by pair of models, with a line for each task and translator; means over seeds."""
    pairs = list(dict.fromkeys(map(_pair, results)))
    values: dict[str, dict[int, list[float]]] = {}
    for result in results:
        if measure in result.figures:
            line = values.setdefault(f"{result.task}, {result.experiment.method}", {})
            line.setdefault(pairs.index(_pair(result)), []).append(result.figures[measure])
    title = "Every pair of models, by translator; means over seeds"
    return Plot(
        f"{_file_name(measure)}-by-pair", title, "models", label, _lines(values), False, pairs, "pairs-of-models"
    )


def _rank_plot(measure: str, label: str, results: Sequence[ExperimentResult]) -> Plot:
    """Return a plot of a measure of linear maps by their rank, with a line for each task and pair of models.

    The map of full rank is at the smaller dimensions of the two models.
    """
    values: dict[str, dict[int, list[float]]] = {}
    for result in results:
        experiment = result.experiment
        rank = int(result.figures["full_rank"]) if experiment.method == "linear" else rank_of(experiment.method)
        if rank and measure in result.figures:
            line = values.setdefault(f"{result.task}, {_pair(result)}", {})
            line.setdefault(rank, []).append(result.figures[measure])
    lines = {name: line for name, line in _lines(values).items() if len(line) > 1}
    title = f"Linear maps by rank: {label}"
    return Plot(f"{_file_name(measure)}-by-rank", title, "rank", label, lines, group="linear-maps-by-rank")


def _pair(result: ExperimentResult) -> str:
    return f"{result.experiment.source} → {result.experiment.target}"


def _lines(values: dict[str, dict[int, list[float]]]) -> dict[str, list[tuple[float, float]]]:
    """Return the points of lines in ascending order of x, with means of several values."""
    return {name: [(float(x), fmean(by_x[x])) for x in sorted(by_x)] for name, by_x in values.items()}


def _file_name(measure: str) -> str:
    return measure.replace("_", "-")


def _three_digits(name: str) -> Callable[[dict[str, float]], str]:
    return lambda figures: f"{figures[name]:.3f}"


def _table(
    name: str, title: str, results: Sequence[ExperimentResult], cell: Callable[[dict[str, float]], str]
) -> Table:
    """Return a table with a row for each task and pair of models, and a column for each translator; means over seeds.

    Parameters
    ----------
    name, title : str
        Name and title of the table.
    results : sequence of ExperimentResult
        The results.
    cell : callable
        Maps the mean figures of several seeds to the text of a cell.
    """
    methods = list(dict.fromkeys(result.experiment.method for result in results))
    groups: dict[tuple[str, str, str], dict[str, list[dict[str, float]]]] = {}
    for result in results:
        experiment = result.experiment
        group = groups.setdefault((result.task, experiment.source, experiment.target), {})
        group.setdefault(experiment.method, []).append(result.figures)
    rows = [
        [*names, *(cell(_mean(group[method])) if method in group else "" for method in methods)]
        for names, group in groups.items()
    ]
    return Table(name, title, ["task", "from", "to", *methods], rows)


def _mean(figures: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: fmean(each[name] for each in figures) for name in figures[0]}


def rank_of(method: str) -> int:
    """Return the rank of a linear map of low rank, or 0."""
    return int(method.partition(LOW_RANK)[2] or 0)
