#!/bin/sh
# usage: tools/lock.sh    (needs uv: pip install uv)
# Writes constraints.txt: the exact version of everything requirements*.txt bring, for every supported Python.
# The answer depends on the day: run `make clean test` afterwards, and commit constraints.txt with the reason.
set -eu
cd "$(dirname "$0")/.."
command -v uv >/dev/null || { echo "tools/lock.sh: uv is not on PATH; pip install uv" >&2; exit 1; }
limits=$(mktemp)
trap 'rm -f "$limits" constraints.tmp' EXIT
# OpenCV 5 breaks a distribution's cv_bridge; launch_testing's plugin breaks pytest 9; pymdown-extensions 13 differs by patch releases of Python
printf '%s\n' torch==2.13.0 'opencv-python-headless<5' 'pytest<9' 'transformers<6' 'pymdown-extensions<13' > "$limits"
{
  echo "# The exact version of everything requirements*.txt bring, for Python 3.10 to 3.13 on x86-64 Linux."
  echo "# Written by tools/lock.sh; do not edit."
  uv pip compile --quiet --universal --upgrade --python-version 3.10 --no-header --no-annotate \
    --constraint "$limits" requirements.txt requirements-test.txt requirements-coverage.txt |
    # keep only what differs between Pythons: the rest of every marker is the environment named above
    sed -e "s/ and platform_machine == 'x86_64' and sys_platform == 'linux'//" -e "s/ ; python_full_version < '3.14'$//" \
        -e "s/ and python_full_version < '3.14'$//"
} > constraints.tmp
mv constraints.tmp constraints.txt
