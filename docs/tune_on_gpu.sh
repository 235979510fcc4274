#!/usr/bin/env bash
# Tune a model on another machine, which needs ssh, Python 3.11 or newer, and the driver of its GPU:
#
#   tune_on_gpu.sh WHEEL USER@HOST TASK_FOLDER OUT [OPTION of vecsmith tune model]…
#
# After an interruption, the same call continues from the last checkpoint.
set -euo pipefail

if [ $# -lt 4 ]; then
    sed -n '2,6s/^# \{0,1\}//p' "$0" >&2
    exit 2
fi
wheel=$1 host=$2 task=$3 out=$4
shift 4
if [ -e "$out" ]; then
    echo "$out exists; give a new folder." >&2
    exit 2
fi
# the remote shell splits the command into words again
options=$(printf ' %q' --task "$(basename "$task")" --preset gpu "$@")
package=$(printf '%q' "./$(basename "$wheel")[tune]")

ssh "$host" "mkdir -p vecsmith-tune"
scp -qr "$wheel" "$task" "$host:vecsmith-tune/"
ssh "$host" "cd vecsmith-tune && { [ -d env ] || python3 -m venv env; } && env/bin/pip install --quiet $package"
ssh "$host" "cd vecsmith-tune && env/bin/vecsmith tune model$options --out tuned"
scp -qr "$host:vecsmith-tune/tuned" "$out"
