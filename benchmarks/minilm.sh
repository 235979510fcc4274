#!/usr/bin/env bash
# Codecs on all-MiniLM-L6-v2, from texts and from ready vectors: benchmarks/results/minilm-*.
#
#   benchmarks/minilm.sh DATA MODEL     DATA: BEIR folders with ready vectors; MODEL: the model's folder
#
# Embedding SciFact takes minutes on two cores; `embed` goes on where it was.
set -euo pipefail
data=$(realpath "$1") model=$(realpath "$2") results=$(realpath "$(dirname "$0")")/results
work=${WORK:-$(mktemp -d)}
cd "$work"
codecs="--codec float16 --codec int8 --codec int4 --codec pca192 --codec pca96 --codec pca192,int8 --codec truncate192
  --codec binary --codec median --codec hybrid48B --codec trellis48B --codec faiss:RaBitQ"
scorings="--scoring symmetric --scoring asymmetric --scoring rescored"
vecsmith embed --task "$data/scifact" --encoder "st:$model" --out scifact-from-texts
# shellcheck disable=SC2086
vecsmith compare --task "$data/scifact" --encoder vectors:scifact-from-texts --encoder vectors:minilm \
  $codecs $scorings --out minilm-scifact
# shellcheck disable=SC2086
vecsmith compare --task "$data/cranfield" --encoder vectors:minilm $codecs $scorings --out minilm-cranfield
# shellcheck disable=SC2086
vecsmith compare --task "$data/hotpotqa-2k" --encoder vectors:minilm --split train+test \
  $codecs $scorings --out minilm-hotpotqa
for task in scifact cranfield hotpotqa; do cp "minilm-$task/table.md" "$results/minilm-$task.md"; done
