"""Every learned code and its rivals on three tasks: benchmarks/results/quantizers.md.

python benchmarks/quantizers.py DATA [SEED …]     DATA: BEIR folders with ready vectors

All 2,000 questions of HotpotQA-2k count, since codecs see none of them; of SciFact and Cranfield the test queries.
FAISS's OPQ and PLSQ take most of the time.
"""

import sys
from pathlib import Path

from vecsmith.report import findings_markdown
from vecsmith.studies import StudyConfig
from vecsmith.studies.quantization import findings, measurements

RESULTS = Path(__file__).parent / "results" / "quantizers.md"
SPLITS = {"hotpotqa-2k": "train+test", "scifact": "test", "cranfield": "test"}


def main(data: str, *seeds: str) -> None:
    """Measure, from the cache where that was done before, and write the tables."""
    numbers = [int(seed) for seed in seeds] or [0]
    measured = []
    for task, split in SPLITS.items():
        measured += measurements(StudyConfig([f"{data}/{task}"], ["vectors:minilm"], split, seeds=numbers))
    RESULTS.write_text(findings_markdown(findings(measured)), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
