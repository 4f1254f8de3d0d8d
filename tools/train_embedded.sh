#!/bin/bash
# Teaches the embedded network to be unsure of unknown objects: four fine-tunings and the mean of their weights, three
# hours on two cores. Then: tools/refit_shipped.sh, the tests, the studies of docs/results.
# From the repository's root: tools/train_embedded.sh [DATA [RUNS]]; what is done is not done again.
set -euo pipefail
data=${1:-../shared/data} runs=${2:-runs/embedded}
camvid=$data/camvid cutouts=$data/cutouts davis=$data/objects_davis
scenes=synthetic:seeds=10000-10199:kinds=deer,cow,dog,box,tyre,debris:rate=4

finetune() { # NAME SEED ARGUMENT...: from the network as trained on the classes
  local name=$1 seed=$2
  shift 2
  trust-seg finetune --model embedded:compact_camvid11 --in-distribution "$camvid" synthetic:seeds=0-121 --ood-rest labelled \
    --ratio 1 --augment strong --loss-stride 2 --half off --judge val --seed "$seed" --out "$runs/$name" "$@"
}

# objects pasted at their place, some of known classes, and whole photographs, where nothing is pasted
animals='cows*+goat*+camel*+blackswan*' whole="marked:images=$davis:named=cows*+goat*+camel*+blackswan*"
for seed in 0 1 2; do
  finetune "whole$seed" "$seed" --learning-rate 1e-4 --epochs 5 --ood \
    "pasted:objects=$cutouts:objects_split=train:known=3:on=$camvid:on_split=train:seeds=0-299" \
    "pasted:objects=$davis:objects_named=$animals:known=3:on=$camvid:on_split=train:seeds=1000-1149" \
    "$whole" "$whole" "$whole" "$scenes"
done
# more pasted objects, and none whole; the second command goes on at a lower rate
for rate in '1e-4 --epochs 6' '2e-5 --epochs 8'; do
  # shellcheck disable=SC2086 # a rate and an option
  finetune pasted0 0 --learning-rate $rate --ood \
    "pasted:objects=$cutouts:objects_split=train:on=$camvid:on_split=train:seeds=0-399" \
    "pasted:objects=$davis:objects_named=$animals+dog*+libby*:on=$camvid:on_split=train:seeds=1000-1199" "$scenes"
done
python tools/mean_weights.py trust_seg_ros/segmentation/weights/compact_camvid11_ood.safetensors \
  "$runs/pasted0/weights.safetensors" "$runs"/whole{0,1,2}/weights.safetensors
