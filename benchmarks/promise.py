"""How what `vecsmith fit auto` predicts turns out, on every task and encoder at hand: benchmarks/results/promise.md.

python benchmarks/promise.py DATA [SEED …]     DATA: BEIR folders with ready vectors

The constants of the prediction were set on the three BEIR tasks and four encoders; pydocs took no part in that.
"""

import sys
from pathlib import Path

from vecsmith.report import findings_markdown
from vecsmith.studies import Setting
from vecsmith.studies.promise import findings, outcomes

RESULTS = Path(__file__).parent / "results" / "promise.md"
TASKS = ("hotpotqa-2k", "scifact", "cranfield")
ENCODERS = [f"vectors:{name}" for name in ("minilm", "mpnet", "potion", "wordllama")]


def main(data: str, *seeds: str) -> None:
    """Predict, measure, from the cache where that was done before, and write the tables."""
    numbers = [int(seed) for seed in seeds] or [0]
    tuned_on = Setting([f"{data}/{task}" for task in TASKS], ENCODERS, "train+test", seeds=numbers)
    found = outcomes(Setting(["pydocs"], ["static"], "train+dev+test", seeds=numbers)) + outcomes(tuned_on)
    RESULTS.write_text(findings_markdown(findings(found)), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
