"""How what `vecsmith migrate plan` predicts turns out: benchmarks/results/migration.md.

python benchmarks/migration.py DATA [SEED …]     DATA: BEIR folders with ready vectors
"""

import sys
from pathlib import Path

from vecsmith.report import findings_markdown
from vecsmith.studies import StudyConfig, migration

RESULTS = Path(__file__).parent / "results" / "migration.md"
TASKS = ("hotpotqa-2k", "scifact", "cranfield")
ENCODERS = [f"vectors:{name}" for name in ("minilm", "mpnet", "potion")]


def main(data: str, *seeds: str) -> None:
    """Plan, measure, and write the tables."""
    numbers = [int(seed) for seed in seeds] or [0]
    setting = StudyConfig([f"{data}/{task}" for task in TASKS], ENCODERS, "train+test", seeds=numbers)
    RESULTS.write_text(findings_markdown(migration(setting)), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
