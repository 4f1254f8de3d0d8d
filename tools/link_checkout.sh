#!/bin/sh
# usage: tools/link_checkout.sh PREFIX
# `pip install -e .` installs no data files. Link into PREFIX what `pip install .` would copy, so that the ament
# index, ros2 run and launch find this checkout there.
set -eu
prefix=$1
root=$(cd "$(dirname "$0")/.." && pwd)
name=trust_seg_ros
mkdir -p "$prefix/share/ament_index/resource_index/packages" "$prefix/share/$name" "$prefix/lib/$name"
ln -sfn "$root/resource/$name" "$prefix/share/ament_index/resource_index/packages/$name"
for program in trust_seg_node trust_seg_cameras; do
  ln -sfn "$root/scripts/$program" "$prefix/lib/$name/$program"
done
for part in package.xml launch config; do
  ln -sfn "$root/$part" "$prefix/share/$name/$part"
done
