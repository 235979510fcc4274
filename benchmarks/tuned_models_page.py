"""The page of results of `tuned_models.py`."""

from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import Any

from tuned_models_runs import CODES, ELSEWHERE, FUSED, RUNS

from vecsmith.report import findings_markdown
from vecsmith.report.findings import Findings, Table

PACKAGES = ("vecsmith", "torch", "sentence-transformers", "transformers", "numpy", "pytrec-eval-terrier")
GROUPS = ("all", "seen", "unseen", "float32")
NUMBERS = (100, 400, 1600, None)
"""Numbers of training queries with judgements; None for all."""

Rows = Sequence[dict[str, Any]]


def page(measured: Rows) -> str:
    """Return the tables of all measured runs, in the order of `RUNS`."""
    order = {run.name: number for number, run in enumerate(RUNS)}
    shown = sorted((row for row in measured if row["name"] in order), key=lambda row: (order[row["name"]], row["seed"]))
    tables = [models(shown), judgements(shown), codes(shown), elsewhere(shown)]
    text = findings_markdown(Findings(tables)).partition("\n")[2].strip()
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"# tuned-models\n\nMade by `benchmarks/tuned_models.py DATA MODEL`, all-MiniLM-L6-v2; {versions}.\n\n{text}\n"
    )


def models(shown: Rows) -> Table:
    """Return the table of the runs with all judgements."""
    columns = ["task and recipe", "seed", "step", "all", "seen", "unseen", "float32, all", "verdict", "minutes"]
    rows = [
        [
            row["name"],
            str(row["seed"]),
            str(row["step"]),
            *(row["cells"].get(name, "–") for name in GROUPS),
            row["verdict"],
            "–" if row["minutes"] is None else f"{row['minutes']:.1f}",
        ]
        for row in shown
        if "judged=" not in row["name"]
    ]
    title = (
        "nDCG@10 of test queries before → after tuning (in brackets p, paired over queries), preset cpu-small. With a "
        "codec: on its cross-fitted codes. adapter: of queries, linear. then: the model of the run before it is "
        "trained further, and is compared with. step: training steps of the kept model, 0 if no checkpoint was better "
        "on validation queries, or check of the adapter. minutes: processor time of this training, in which the "
        "documents are embedded once; without the training of a run that was resumed; – not measured"
    )
    return Table("models", title, columns, rows)


def judgements(shown: Rows) -> Table:
    """Return the table of the methods that were trained on different numbers of judged queries."""
    runs = {run.name: run for run in RUNS}
    methods: dict[tuple[str, int], dict[int | None, str]] = {}
    for row in shown:
        run = runs[row["name"]]
        numbers = methods.setdefault((replace(run, judged=None).name, row["seed"]), {})
        numbers[run.judged] = row["cells"]["all"]
    rows = [
        [name, str(seed), *(cells.get(number, "–") for number in NUMBERS)]
        for (name, seed), cells in methods.items()
        if any(number is not None for number in cells)
    ]
    columns = ["task and recipe", "seed", *("all" if number is None else f"{number:,}" for number in NUMBERS)]
    title = (
        "nDCG@10 of all test queries before → after tuning on a sample of the training queries, by their number. All: "
        "1,600 of hotpotqa-2k, 3,909 of pydocs. The checkpoint is chosen on a part of the sample for hotpotqa-2k, and "
        "on dev queries, whatever the sample, for pydocs"
    )
    return Table("judgements", title, columns, rows)


def codes(shown: Rows) -> Table:
    """Return the table of the models that were trained for the documents too, on floats and codes."""
    rows = [
        [row["name"] + then, str(row["seed"]), *(cells.get(codec, "–") for codec in (*CODES, *FUSED))]
        for row in shown
        for then, cells in row.get("codes", {}).items()
    ]
    title = (
        "nDCG@10 of all test queries before → after tuning, on float vectors and cross-fitted codes of the same model. "
        "fuse: with WordLlama; – not measured. tune distill: queries pass through an adapter that was trained on the "
        "training queries, without their judgements. queries_only: the queries were trained again, against the "
        "documents of the tuned model, or against their codes if there is a codec"
    )
    return Table("codes", title, ["task and recipe", "seed", *CODES, *FUSED], rows)


def elsewhere(shown: Rows) -> Table:
    """Return the table of the tasks that a model was not trained on."""
    rows = [
        [row["name"], str(row["seed"]), *(row["elsewhere"].get(name, "–") for name in ELSEWHERE)]
        for row in shown
        if row.get("elsewhere")
    ]
    title = (
        "nDCG@10 of all test queries before → after tuning, on float vectors of the tasks for which the model was not "
        "trained"
    )
    return Table("elsewhere", title, ["task and recipe", "seed", *ELSEWHERE], rows)
