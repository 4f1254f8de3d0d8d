#!/bin/sh
# usage: benchmarks/gpu_day.sh [--rehearse] [--out FOLDER] [--only STEP...]
# Everything to be measured on the day a GPU is at hand, within 8 minutes: equality with the CPU, times, compute-sanitizer,
# tests. Installs nothing: what is missing is named and left out. --rehearse runs it without a GPU, in Triton's interpreter.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
if [ -x .venv/bin/python ]; then
  exec tools/in_venv.sh python benchmarks/gpu_day "$@"
fi
PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}" exec python3 benchmarks/gpu_day "$@"
