"""The study of translators: methods between every two of three models, and how wide a network has to be.

Maps that bend are measured on SciFact, since on HotpotQA-2k they take hours; wide and deep networks by one of its five
folds. What was measured is kept in the cache, and a second run goes on from there.

    python benchmarks/translator_study.py DATA > benchmarks/results/translators-study.md
"""

import argparse
from collections.abc import Sequence
from importlib.metadata import version
from itertools import permutations
from pathlib import Path

import vecsmith
from vecsmith.evaluation.translation import Experiment, ExperimentResult
from vecsmith.report import findings_markdown
from vecsmith.report.findings import Findings, Table
from vecsmith.studies.translators import findings, run_all

MODELS = ("vectors:minilm", "vectors:mpnet", "vectors:potion")
METHODS = ("canonical", "procrustes", "linear", "linear:rank64")
BENT = ("local8", "mlp1")
SLOW = ("mlp1x8", "mlp1x32", "mlp2", "mlp2x8")
PAIRS = [(a, b) for a, b in permutations(MODELS, 2) if MODELS[0] in (a, b)]
SEED = 0


def widths(outcomes: Sequence[ExperimentResult]) -> Table:
    """Return a row per two models and a column per network, of outcomes on SciFact: errors, and what queries keep."""
    methods = ("linear", "mlp1", *SLOW)
    figures = {(o.experiment.source, o.experiment.target, o.experiment.method): o.figures for o in outcomes}
    rows = []
    for pair in PAIRS:
        found = [figures[*pair, method] for method in methods]
        rows.append([*pair, *(f"{1000 * each['mse']:.3f} / {each['queries']:.1%}" for each in found)])
    title = (
        "Widths of hidden layers, over full rank, on SciFact: 1,000 times the squared error a dimension / nDCG@10 kept "
        "with queries translated; of the first fold's translator, fitted on 80 % of the documents. "
        f"{', '.join(SLOW)} are slow and were fitted for this fold alone, so that they are in no other table"
    )
    return Table("widths", title, ["from", "to", *methods], rows)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder of the test collections")
    parser.add_argument("--workers", type=int, help="processes; one a core by default")
    options = parser.parse_args()
    scifact, hotpotqa = (str(options.data / name) for name in ("scifact", "hotpotqa-2k"))
    for task in (scifact, hotpotqa):
        for model in MODELS:
            vecsmith.embed_task(vecsmith.load_task(task), model)

    def experiment(task: str, pair: tuple[str, str], method: str, folds: int = 5) -> Experiment:
        return Experiment(task, "test", *pair, method, SEED, folds)

    whole = [
        experiment(task, pair, method)
        for task, methods in ((scifact, (*METHODS, *BENT)), (hotpotqa, METHODS))
        for method in methods
        for pair in permutations(MODELS, 2)
    ]
    slow = [experiment(scifact, pair, method, folds=1) for method in SLOW for pair in PAIRS]
    outcomes = run_all([*whole, *slow], options.workers)
    crossed = outcomes[: len(whole)]
    on_scifact = [outcome for outcome in crossed if outcome.experiment.task == scifact]
    on_both = [outcome for outcome in crossed if outcome.experiment.method in METHODS]
    [alone] = [table for table in findings(on_scifact).tables if table.name == "methods"]
    tables = findings(crossed).tables[1:]
    print(
        f"# The study of translators\n\nMade by `benchmarks/translator_study.py`, {len(outcomes)} experiments, seed "
        f"{SEED}, vecsmith {version('vecsmith')}, NumPy {version('numpy')}, PyTorch {version('torch')}: SciFact and "
        "HotpotQA-2k, test queries, cross-fitted over five folds of the documents; maps that bend on SciFact alone."
    )
    told = [findings(on_both).tables[0], Table("scifact", f"SciFact alone. {alone.title}", alone.columns, alone.rows)]
    text = findings_markdown(Findings([*told, widths([*on_scifact, *outcomes[len(whole) :]]), *tables]))
    print(text.removeprefix("# vecsmith study\n").rstrip())


if __name__ == "__main__":
    main()
