#!/usr/bin/env bash
# Reducers on three tasks and four models: benchmarks/results/reducers.md.
#
#   benchmarks/reducers.sh DATA [SEED]     DATA: BEIR folders with ready vectors
#
# Cross-fitted, and fitted on HotpotQA-2k (transfer). All 2,000 questions of HotpotQA-2k and all 1,109 claims of SciFact
# count, since no codec sees them. Two models at a time.
set -euo pipefail
data=$(realpath "$1") results=$(realpath "$(dirname "$0")")/results
seed=${2:-0}
work=${WORK:-$(mktemp -d)}
cd "$work"
measure() { # MODEL DIMENSIONS
    local quarter=$(($2 / 4)) half=$(($2 / 2)) codecs=() transfer=()
    for k in "$2" $((3 * $2 / 4)) $half $quarter; do
        codecs+=(--codec "autoencoder$k")
        [[ $k = "$2" ]] || codecs+=(--codec "pca$k")
    done
    for k in $half $quarter; do transfer+=(--codec "pca$k" --codec "autoencoder$k"); done
    for preset in linear mlp1 mlp1-mse; do
        codecs+=(--codec "autoencoder$quarter:$preset")
    done
    codecs+=(--codec "adaptor$quarter" --codec "pca$half,truncate$quarter" --codec "adaptor$half,truncate$quarter")
    transfer+=(--codec "autoencoder$quarter:linear" --codec "adaptor$quarter")
    vecsmith embed --task "$data/hotpotqa-2k" --encoder "vectors:$1" --out "vectors-$1"
    for split in "hotpotqa-2k train+test" "scifact train+test" "cranfield test"; do
        read -r task judged <<<"$split"
        vecsmith compare --task "$data/$task" --split "$judged" --encoder "vectors:$1" "${codecs[@]}" --seed "$seed" \
            --out "cross-$1-$task"
        [[ $task = hotpotqa-2k ]] || vecsmith compare --task "$data/$task" --split "$judged" --encoder "vectors:$1" \
            "${transfer[@]}" --seed "$seed" --fit-on "vectors-$1/corpus" --out "transfer-$1-$task"
    done
}
(measure minilm 384 && measure wordllama 256) &
measure potion 256 && measure mpnet 768
wait $!
python - "$results/reducers.md" <<'PYTHON'
import sys
from pathlib import Path

from vecsmith.evaluation.results import read_results

lines = ["# Reducers", "", "Made by `benchmarks/reducers.sh`: nDCG@10 over that of the whole vectors, float queries; p of a"]
lines += ["paired test against the whole vectors where it is below 0.05."]
for protocol, title in (("cross", "cross-fitted"), ("transfer", "fitted on HotpotQA-2k")):
    for model in ("minilm", "mpnet", "potion", "wordllama"):
        cells = {}
        for file in sorted(Path().glob(f"{protocol}-{model}-*/results.jsonl")):
            for r in read_results(file):
                mark = f" (p {r.p_value:.3f})" if r.p_value < 0.05 else ""
                cells.setdefault(r.codec, {})[r.task] = (r.retention, f"{r.retention:.1%}{mark}")
        tasks = sorted({task for row in cells.values() for task in row})
        lines += ["", f"## {model}, {title}", "", "| codec | " + " | ".join(tasks) + " | mean |"]
        lines += ["|---|" + "---:|" * (len(tasks) + 1)]
        for codec, row in cells.items():
            mean = sum(retention for retention, _ in row.values()) / len(row)
            lines.append(f"| `{codec}` | " + " | ".join(row[task][1] for task in tasks) + f" | {mean:.1%} |")
Path(sys.argv[1]).write_text("\n".join(lines) + "\n", encoding="utf-8")
PYTHON
