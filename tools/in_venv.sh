#!/bin/sh
# usage: tools/in_venv.sh COMMAND [ARGUMENT...]
# Runs a command with the ROS 2 of .venv and of nowhere else, and its nodes visible on this machine only.
set -eu
venv=$(cd "$(dirname "$0")/.." && pwd)/.venv
# A sourced ROS 2, or a parent that runs another environment's, would mix two sets of libraries.
if [ -n "${ROS_DISTRO:-}${_ROS_WHEELS_BOOTSTRAP_COMPLETE:-}" ]; then
  unset LD_LIBRARY_PATH
fi
unset PYTHONPATH PYTHONHOME ROS_DISTRO _ROS_WHEELS_BOOTSTRAP_COMPLETE
export VIRTUAL_ENV="$venv" PATH="$venv/bin:$PATH"
export AMENT_PREFIX_PATH="$venv" RMW_IMPLEMENTATION=rmw_fastrtps_cpp
export ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST
# long spinning OpenMP threads make everything slow where several processes share the cores
export GOMP_SPINCOUNT="${GOMP_SPINCOUNT:-1000}"
if [ -z "${ROS_DOMAIN_ID:-}" ]; then
  # one of its own, so that two runs on one machine do not hear each other; above 101 the ports may be taken
  ROS_DOMAIN_ID=$("$venv/bin/python" -S -c 'import random; print(random.randint(1, 101))')
  export ROS_DOMAIN_ID
fi
exec "$@"
