#!/usr/bin/env bash
# Every learned code and its rivals on three tasks: benchmarks/results/quantisers.md.
#
#   benchmarks/quantisers.sh DATA [SEED …]     DATA: BEIR folders with ready vectors
#
# All 2,000 questions of HotpotQA-2k count, since codecs see none of them; of SciFact and Cranfield the test queries.
# FAISS's OPQ takes most of the time.
set -euo pipefail
data=$(realpath "$1") results=$(realpath "$(dirname "$0")")/results
shift
seeds=("${@:-0}")
work=${WORK:-$(mktemp -d)}
cd "$work"
options=(--encoder vectors:minilm $(printf -- '--seed %s ' "${seeds[@]}"))
vecsmith study quantization --task "$data/hotpotqa-2k" --split train+test "${options[@]}" --out hotpotqa
vecsmith study quantization --task "$data/scifact" --task "$data/cranfield" "${options[@]}" --out small
python - "$results/quantisers.md" <<'PYTHON'
import sys
from pathlib import Path

from vecsmith.report.summary import summary_markdown
from vecsmith.results import read_results

results = [*read_results("hotpotqa/results.jsonl"), *read_results("small/results.jsonl")]
Path(sys.argv[1]).write_text(summary_markdown(results), encoding="utf-8")
PYTHON
