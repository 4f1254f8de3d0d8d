#!/bin/sh
# usage: tools/find_python.sh [PYTHON]
# Prints the Python to make .venv with, after checking that this machine can run and build what is needed; or says
# everything that is missing, and how to get it, in one go.
set -eu
fail() { printf '%s\n' "" "Cannot set up trust_seg_ros here:" "$@" "" >&2; exit 1; }

[ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] || fail \
  "  this is $(uname -s) on $(uname -m); the prebuilt ROS 2 wheels are for Linux on x86_64 only." \
  "  Elsewhere use a ROS 2 distribution: see docs/vehicle.md."

usable='import sys; sys.exit(not ((3, 10) <= sys.version_info[:2] <= (3, 13)))'
python=
for candidate in ${1:-python3 python3.13 python3.12 python3.11 python3.10}; do
  if "$candidate" -S -c "$usable" >/dev/null 2>&1; then
    python=$candidate
    break
  fi
done
if [ -z "$python" ]; then
  found=$("${1:-python3}" --version 2>/dev/null || echo "no ${1:-python3}")
  fail "  found $found; needed is Python 3.10, 3.11, 3.12 or 3.13 (constraints.txt pins versions for these, and tests run there)." \
    "  Name one that is not on PATH with: make PYTHON=/path/to/python3.12 ..."
fi

missing=
packages=
need() { missing="$missing
  - $1"; packages="$packages $2"; }
version=$("$python" -S -c 'import sys; print("%d.%d" % sys.version_info[:2])')
"$python" -c 'import ensurepip, venv' 2>/dev/null || need "$python has no venv module" "python$version-venv"
"$python" -c 'import os, sysconfig; os.stat(sysconfig.get_path("include") + "/Python.h")' 2>/dev/null ||
  need "the headers of $python (Python.h), to build the messages" "python$version-dev"
{ command -v gcc && command -v g++; } >/dev/null || need "gcc and g++, to build the messages" "gcc g++"
[ -z "$missing" ] || fail "  missing:$missing" "  On Debian and Ubuntu: sudo apt-get install$packages"
echo "$python"
