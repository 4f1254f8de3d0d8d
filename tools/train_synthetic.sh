#!/bin/bash
# Makes `embedded:synthetic` and the files shipped beside it, from scenes of the synthetic drive and photographs whose
# licence permits it (objects_davis, BSD): an hour and a half on two cores. CamVid is read by nothing here.
# From the repository's root: tools/train_synthetic.sh [DAVIS [RUNS]]; what is done is not done again.
set -euo pipefail
davis=${1:-../shared/data/objects_davis} runs=${2:-runs/synthetic}
meta=trust_seg_ros/meta/models calibrations=trust_seg_ros/thresholds/calibrations
model=embedded:synthetic

scenes() { # NAME LOOK SEED FRAMES
  [ -d "$runs/$1" ] || trust-seg synthetic --scenes --look "$2" --seed "$3" --frames "$4" --unknowns none \
    --size 480x360 --out "$runs/$1"
}

trust-seg train --scenes-only --textures "$davis/images" --synthetic-scenes 1500 --crop 192 256 --batch 8 --half off \
  --iterations 4200 --warm-up 200 --rare-share 0.3 --evaluate-every 300 --out "$runs/classes"

# to be unsure of unknown objects: photographs of animals pasted into painted scenes, and drawn objects
scenes streets painted 600000 200
animals='cows*+goat*+camel*+blackswan*'
trust-seg finetune --model "$runs/classes/kept.safetensors" --in-distribution synthetic:seeds=0-399:size=512x384:look=painted \
  --ood "pasted:objects=$davis:objects_named=$animals:known=3:on=$runs/streets:seeds=0-249" \
  synthetic:seeds=10000-10149:kinds=deer,cow,dog,box,tyre,debris:rate=4:size=512x384:look=painted \
  --ood-rest labelled --ratio 1 --augment strong --loss-stride 2 --half off --learning-rate 1e-4 --epochs 4 \
  --judge synthetic:seeds=500000-500063:size=512x384:look=unseen --out "$runs/ood"
python tools/ship_synthetic.py "$runs/ood/weights.safetensors"

# meta model of segments, and calibration, on scenes that no training saw
scenes fit/own own 520000 150
scenes fit/unseen unseen 520000 150
trust-seg fit "$runs/fit" --split own --split unseen --class-input both --model "$model" --cache "$runs/segments" \
  --out "$meta/embedded_synthetic_meta.json"
scenes calibrate/unseen unseen 530000 200
trust-seg calibrate "$runs/calibrate" --split unseen --model "$model" --meta-model none --unordered --watch scores \
  --out "$calibrations/embedded_synthetic.json"
