"""How what `vecsmith migrate plan` predicts turns out: benchmarks/results/migration.md.

python benchmarks/migration.py DATA [SEED …]     DATA: BEIR folders with ready vectors
"""

import sys
from pathlib import Path

from vecsmith.report import findings_markdown
from vecsmith.studies.migration_promise import findings, outcomes

RESULTS = Path(__file__).parent / "results" / "migration.md"
SPLITS = {"hotpotqa-2k": "train+test", "scifact": "train+test", "cranfield": "test"}
ENCODERS = [f"vectors:{name}" for name in ("minilm", "mpnet", "potion")]


def main(data: str, *seeds: str) -> None:
    """Plan, measure, and write the tables."""
    found = []
    for task, split in SPLITS.items():
        found += outcomes([f"{data}/{task}"], ENCODERS, split, [int(seed) for seed in seeds] or [0])
    RESULTS.write_text(findings_markdown(findings(found)), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
