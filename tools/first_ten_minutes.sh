#!/bin/bash
# usage: tools/first_ten_minutes.sh [--photo FILE] [--bag BAG] [--images DATASET] [--out DIR] [-- OPTIONS OF YOUR NETWORK]
# The steps of docs/first_ten_minutes.md from a fresh clone in a fresh virtual environment without caches, and the minutes
# each took. What you do not name is stood in for, in time that does not count: a picture of the shipped film, the film as
# a bag, weights trained on drawn scenes as a .pt2 file, and forty drawn scenes that are not among these.
# Options of a network: -- --model my_net.pt2 --labels mine.yaml; then --images names labelled images that it has not seen.
# PYTHON: the Python to use. TORCH_INDEX: PyTorch's index of CPU builds; without it, pip takes the build for NVIDIA GPUs.
set -euo pipefail

usage() { sed -n '2s/^# //p' "$0" >&2 && exit 2; }
repository=$(cd "$(dirname "$0")/.." && pwd)
photo="" bag="" images="" out=out/first_ten_minutes
while (($#)); do
  case $1 in
    --photo | --bag | --images) [ -e "${2-}" ] || usage; printf -v "${1#--}" %s "$(realpath -s "$2")" && shift 2 ;;
    --out) out=${2:?} && shift 2 ;;
    --) shift && break ;;
    *) usage ;;
  esac
done
network=("$@")
[ ! -e "$out" ] || { echo "$out is there already; a bare environment needs a new folder: --out DIR" >&2 && exit 2; }
mkdir -p "$out"
out=$(realpath "$out")
# nothing that was compiled or downloaded before, and no other environment
export XDG_CACHE_HOME=$out/cache PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1
unset PYTHONPATH PYTHONHOME VIRTUAL_ENV AMENT_PREFIX_PATH ROS_DISTRO

rows=() total=0
step() { # step NAME COMMAND...: run, time and log it, and show its last lines
  local name=$1 log began seconds
  shift
  log=$out/$(printf '%02d.log' $((${#rows[@]} + 1)))
  printf '\n== %s\n$ %s\n' "$name" "$*"
  began=$(date +%s)
  "$@" >"$log" 2>&1 || { tail -n 30 "$log" >&2 && echo "failed: $name; all it said is in $log" >&2 && exit 1; }
  seconds=$(($(date +%s) - began))
  total=$((total + seconds))
  tail -n 8 "$log"
  rows+=("$(printf '| %s | %d:%02d |' "$name" $((seconds / 60)) $((seconds % 60)))")
}
is_there() { [ -s "$1" ] || { echo "failed: $1 was not written" >&2 && exit 1; }; }

cd "$out"
step "clone" git clone --depth 1 "file://$repository" trust_seg_ros
step "virtual environment" "${PYTHON:-python3}" -m venv venv
# shellcheck disable=SC1091
source venv/bin/activate
cd trust_seg_ros
step "install" python -m pip install ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} -c constraints.txt ".[replay,fit]"
cd "$out"
[ "$(command -v trust-seg)" = "$out/venv/bin/trust-seg" ] || { echo "failed: trust-seg is another one" >&2 && exit 1; }

echo "== stand-ins for what was not named; they do not count"
python trust_seg_ros/tools/stand_ins.py "${photo:=$out/street.jpg}" "${bag:=$out/town}" my_net.pt2
if [ -z "$images" ]; then
  trust-seg synthetic --scenes --look unseen --seed 700000 --frames 40 --unknowns none --size 480x360 --out mine --quiet
  images=$out/mine
fi
((${#network[@]})) || network=(--model my_net.pt2 --labels camvid11)

step "look at the machine" trust-seg check --no-camera
step "a photograph, flagged" trust-seg show "$photo" --out flagged.png
is_there flagged.png
step "a bag, and its report" trust-seg replay "$bag" --out judged --report
is_there judged/report.html
step "your network: does it see?" trust-seg miou "$images" "${network[@]}"
step "your network: its meta model" trust-seg fit "$images" "${network[@]}" --out meta.json
is_there meta.json
step "the photograph once more, by your network" trust-seg show "$photo" "${network[@]}" --meta-model meta.json --out mine.png
is_there mine.png

printf '\n%s, %s cores, %s\n\n| step | minutes |\n|---|---|\n' "$(python --version)" "$(nproc)" \
  "$(sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' /etc/os-release)"
printf '%s\n' "${rows[@]}"
printf '| all | %d:%02d |\n' $((total / 60)) $((total % 60))
echo "in $out: flagged.png, judged/report.html, meta.json, mine.png"
