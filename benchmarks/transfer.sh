#!/usr/bin/env bash
# Codecs fitted on one corpus and used on others, and codes compared by Hamming distance alone:
# benchmarks/results/transfer.md and hamming.md.
#
#   benchmarks/transfer.sh DATA     DATA: BEIR folders with ready vectors
set -euo pipefail
data=$(realpath "$1") results=$(realpath "$(dirname "$0")")/results
work=${WORK:-$(mktemp -d)}
cd "$work"
codecs=$(printf -- '--codec %s ' {trellis,hybrid,binary-autoencoder,additive}{48,24}B)
for name in as-it-is recentered; do
  # shellcheck disable=SC2086,SC2046
  vecsmith compare --task "$data/scifact" --task "$data/cranfield" --encoder vectors:minilm $codecs \
    --fit-on "$data/hotpotqa-2k/vectors/minilm/corpus.npy" \
    $([ "$name" = recentered ] && echo --recenter) --out "$name"
done
sed "s|$data/||g" as-it-is/table.md recentered/table.md > "$results/transfer.md"
for task in hotpotqa-2k scifact cranfield; do
  split=$([ "$task" = hotpotqa-2k ] && echo train+test || echo test)
  vecsmith compare --task "$data/$task" --encoder vectors:minilm --split "$split" --scoring symmetric --scoring asymmetric \
    --codec binary --codec median --codec itq48B --out "hamming-$task"
done
cat hamming-*/table.md > "$results/hamming.md"
