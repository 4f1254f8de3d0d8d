#!/bin/bash
# Makes the files shipped beside the embedded weights anew, in the order in which they depend on each other: after new
# weights, run this, the tests, and the studies of docs/results. From the repository's root: tools/refit_shipped.sh [DATA]
set -euo pipefail
data=${1:-../shared/data} camvid=${1:-../shared/data}/camvid
meta=trust_seg_ros/meta/models calibrations=trust_seg_ros/thresholds/calibrations tables=$(mktemp -d)
trap 'rm -rf "$tables"' EXIT

refit() { # MODEL: its meta model of segments, and its calibration
  local stem=${1/:/_}
  trust-seg fit "$camvid" --split val --split test --class-input both --model "$1" --cache "$tables/$stem.segments" \
    --out "$meta/${stem}_meta.json"
  # without P(wrong), as the meta model has seen these images
  trust-seg calibrate "$camvid" --split test --model "$1" --meta-model none --unordered --watch scores --out "$calibrations/$stem.json"
}

refit embedded
refit embedded:compact_camvid11
# Four sources, so that no one world decides; refused if it is worse than no judge on any of them when it is left out.
# Objects that the network was trained with look more unknown than any on the road, so the judge sees others.
others='dog*+libby*+horsejump*+kite*+paragliding*+soapbox*'
trust-seg benchmark synthetic:seeds=30000-30199:kinds=sofa,ladder,crate,suitcase:rate=4 --score entropy --threshold 0.8 \
  --grid area:480x360 --features meta_scale_free --classifier boosting --keep 0.995 --leave-source-out \
  --fit-on "pasted:objects=$data/cutouts:objects_split=hold_out:on=$data/street_photos:seeds=60000-60399" \
  "pasted:objects=$data/cutouts:objects_split=hold_out:on=$data/camvid:on_split=test:seeds=61000-61299" \
  "pasted:objects=$data/objects_davis:objects_named=$others:on=$data/street_photos:seeds=62000-62299" \
  synthetic:seeds=20000-20199:kinds=sheep,barrel,ball,trolley:rate=4 \
  --track obstacle --segment-limits 50 10 --save-meta "$meta/embedded_ood_meta.json" --out "$tables/ood"
