#!/bin/bash
# Runs a command with ROS 2, the node's virtual environment and this package, each where the image has it.
set -e
# shellcheck source=/dev/null
source "/opt/ros/$ROS_DISTRO/setup.bash" --
if [ -d /opt/trust_seg_ros ]; then
  # shellcheck source=/dev/null
  source /opt/trust_seg_ros/local_setup.bash --
  PATH=/opt/venv/bin:$PATH:/opt/trust_seg_ros/lib/trust_seg_ros
fi
# Whole images through shared memory, as the launch files set it: unless a profile is given, or /dev/shm is too small,
# which docker's default of 64 MB is.
free=$(df --output=avail /dev/shm | tail -n 1)
if [ -z "$FASTDDS_DEFAULT_PROFILES_FILE$FASTRTPS_DEFAULT_PROFILES_FILE" ] && [ "$free" -ge 131072 ]; then
  export FASTDDS_DEFAULT_PROFILES_FILE=/etc/fastdds_shm.xml
  case $ROS_DISTRO in humble | jazzy) export FASTRTPS_DEFAULT_PROFILES_FILE=/etc/fastdds_shm.xml ;; esac
fi
exec "$@"
