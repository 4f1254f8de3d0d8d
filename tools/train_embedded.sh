#!/bin/bash
# Teaches the embedded network to be unsure of unknown objects: four fine-tunings and the mean of their weights, then three
# more on painted scenes that begin there, and their mean; four hours on two cores. Then: tools/refit_shipped.sh, the tests,
# the studies of docs/results.
# From the repository's root: tools/train_embedded.sh [DATA [RUNS]]; what is done is not done again.
set -euo pipefail
data=${1:-../shared/data} runs=${2:-runs/embedded}
camvid=$data/camvid cutouts=$data/cutouts davis=$data/objects_davis
scenes=synthetic:seeds=10000-10199:kinds=deer,cow,dog,box,tyre,debris:rate=4

finetune() { # NAME SEED ARGUMENT...
  local name=$1 seed=$2
  shift 2
  trust-seg finetune --in-distribution "$camvid" synthetic:seeds=0-121 "${painted[@]}" --ood-rest labelled --ratio 1 \
    --augment strong --loss-stride 2 --half off --judge val --seed "$seed" --out "$runs/$name" "$@"
}
painted=()

# objects pasted at their place, some of known classes, and whole photographs, where nothing is pasted
animals='cows*+goat*+camel*+blackswan*' whole="marked:images=$davis:named=cows*+goat*+camel*+blackswan*"
for seed in 0 1 2; do
  finetune "whole$seed" "$seed" --model embedded:compact_camvid11 --learning-rate 1e-4 --epochs 5 --ood \
    "pasted:objects=$cutouts:objects_split=train:known=3:on=$camvid:on_split=train:seeds=0-299" \
    "pasted:objects=$davis:objects_named=$animals:known=3:on=$camvid:on_split=train:seeds=1000-1149" \
    "$whole" "$whole" "$whole" "$scenes"
done
# more pasted objects, and none whole; the second command goes on at a lower rate
for rate in '1e-4 --epochs 6' '2e-5 --epochs 8'; do
  # shellcheck disable=SC2086 # a rate and an option
  finetune pasted0 0 --model embedded:compact_camvid11 --learning-rate $rate --ood \
    "pasted:objects=$cutouts:objects_split=train:on=$camvid:on_split=train:seeds=0-399" \
    "pasted:objects=$davis:objects_named=$animals+dog*+libby*:on=$camvid:on_split=train:seeds=1000-1199" "$scenes"
done
python tools/mean_weights.py "$runs/first.safetensors" "$runs/pasted0/weights.safetensors" \
  "$runs"/whole{0,1,2}/weights.safetensors

# drawn streets in random paint beside CamVid's, with known and unknown objects, so that a street of another look is
# nothing unknown in itself
[ -d "$runs/streets" ] || trust-seg synthetic --scenes --look painted --seed 600000 --frames 200 --unknowns none \
  --size 480x360 --out "$runs/streets"
painted=(synthetic:seeds=200-399:size=512x384:look=painted)
for seed in 0 1 2; do
  finetune "painted$seed" "$seed" --model "$runs/first.safetensors" --learning-rate 5e-5 --epochs 3 --ood \
    "pasted:objects=$cutouts:objects_split=train:known=3:on=$camvid:on_split=train:seeds=0-199" \
    "pasted:objects=$cutouts:objects_split=train:known=3:on=$runs/streets:seeds=400-549" \
    "pasted:objects=$davis:objects_named=$animals:known=3:on=$camvid:on_split=train:seeds=1000-1149" \
    "$whole" "$whole" synthetic:seeds=10000-10149:kinds=deer,cow,dog,box,tyre,debris:rate=4:size=512x384:look=painted
done
python tools/mean_weights.py trust_seg_ros/segmentation/weights/compact_camvid11_ood.safetensors \
  "$runs"/painted{0,1,2}/weights.safetensors
