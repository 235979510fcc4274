"""The study of translators: methods between every two of three models, and how wide a network has to be.

On HotpotQA-2k networks would train for hours, so that they are measured on SciFact; the wide ones there by one of five
folds. What was measured is kept in the cache, and a second run goes on from there.

    python benchmarks/translator_study.py DATA > benchmarks/results/translators-study.md
"""

import argparse
from collections.abc import Sequence
from importlib.metadata import version
from itertools import permutations
from pathlib import Path

import vecsmith
from vecsmith.report import findings_markdown
from vecsmith.studies import Findings, Table
from vecsmith.studies.translator_experiment import Experiment, Outcome
from vecsmith.studies.translators import findings, run_all

MODELS = ("vectors:minilm", "vectors:mpnet", "vectors:potion")
METHODS = ("canonical", "procrustes", "linear", "linear:rank64", "local8")
NETWORKS = ("mlp1", "mlp2")
WIDE = ("mlp1x8", "mlp2x8", "mlp1x32")
WIDE_PAIRS = [(MODELS[0], target) for target in MODELS[1:]]
SEED = 0


def widths(outcomes: Sequence[Outcome]) -> Table:
    """Return a row per two models and a column per network: squared error, and what translated queries keep."""
    methods = ("linear", "mlp1", "mlp1x8", "mlp1x32", "mlp2", "mlp2x8")
    figures = {(o.experiment.source, o.experiment.target, o.experiment.method): o.figures for o in outcomes}
    rows = []
    for pair in WIDE_PAIRS:
        found = [figures[*pair, method] for method in methods]
        rows.append([*pair, *(f"{1000 * each['mse']:.3f} / {each['queries']:.1%}" for each in found)])
    title = (
        "Widths of hidden layers, over full rank, on SciFact: 1,000 times the squared error a dimension / nDCG@10 kept "
        "with queries translated; of the first fold's translator, fitted on 80 % of the documents. The slow ones "
        f"({', '.join(WIDE)}) were fitted for this fold alone, and so are in no other table"
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

    wide = [experiment(scifact, pair, method, folds=1) for method in reversed(WIDE) for pair in WIDE_PAIRS]
    whole = [
        experiment(task, pair, method)
        for task, methods in ((scifact, (*METHODS, *NETWORKS)), (hotpotqa, METHODS))
        for method in methods
        for pair in permutations(MODELS, 2)
    ]
    # the longest first
    outcomes = run_all([*wide, *whole], options.workers)
    narrow = outcomes[len(wide) :]
    on_scifact = [outcome for outcome in narrow if outcome.experiment.task == scifact]
    both = [outcome for outcome in narrow if outcome.experiment.method in METHODS]
    [alone] = [table for table in findings(on_scifact).tables if table.name == "methods"]
    tables = findings(narrow).tables[1:]
    print(
        f"# The study of translators\n\nMade by `benchmarks/translator_study.py`, {len(outcomes)} experiments, seed "
        f"{SEED}, vecsmith {version('vecsmith')}, NumPy {version('numpy')}, PyTorch {version('torch')}: SciFact and "
        "HotpotQA-2k, test queries, cross-fitted over five folds of the documents. Networks are measured on SciFact."
    )
    told = [findings(both).tables[0], Table("scifact", f"SciFact alone. {alone.title}", alone.columns, alone.rows)]
    text = findings_markdown(Findings([*told, widths(outcomes), *tables]))
    print(text.removeprefix("# vecsmith study\n").rstrip())


if __name__ == "__main__":
    main()
