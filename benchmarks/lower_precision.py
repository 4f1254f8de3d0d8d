"""Graphs of lower precision beside their float32 original: what changes on photographs, and what they save.

    python benchmarks/lower_precision.py ../shared/data/camvid [--images 0] [--rounds 40] [--json lower_precision.json]

The embedded network as an .onnx file in float32, in float16, and in int8: static (QDQ; weights per channel, ranges
from --calibration images of the part train) and dynamic. Each file is read as ``model:=net.onnx`` reads it. Share of
pixels of the same class, entropy, mIoU, and how well entropy finds wrong pixels (AUROC) on the part test; times in
turns. A random SegFormer has no errors to find: classes and entropy only, on 40 images. Needs onnx, onnxscript,
onnxruntime; transformers for SegFormer.
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_dynamic, quantize_static
from onnxruntime.transformers.float16 import convert_float_to_float16

from trust_seg_ros.datasets.layouts import open_dataset
from trust_seg_ros.evaluation.confusion import ConfusionMatrix
from trust_seg_ros.exporting.logits import export_logits
from trust_seg_ros.exporting.targets import TARGETS
from trust_seg_ros.segmentation import load_network
from trust_seg_ros.segmentation.graphs.runtimes import RUNTIMES
from trust_seg_ros.segmentation.preprocess import preprocess
from trust_seg_ros.segmentation.settings import NetworkSettings
from trust_seg_ros.uncertainty import uncertainty_maps

BINS = 4096


def main() -> None:
    """Read the command line, measure, print tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="a labelled data set with the parts train and test, classes of CamVid")
    parser.add_argument("--images", type=int, default=0, metavar="N", help="so many of the part test (default: all)")
    parser.add_argument("--calibration", type=int, default=64, metavar="N", help="images for ranges (default: 64)")
    parser.add_argument("--rounds", type=int, default=40, metavar="N", help="turns of each file (default: 40)")
    parser.add_argument("--json", type=Path, help="write the numbers here, too")
    args = parser.parse_args()
    logging.getLogger().setLevel(logging.ERROR)  # ONNX Runtime's tools warn of every norm that they leave as it is
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, model in (("embedded", "embedded"), ("segformer", _segformer(Path(folder)))):
            if model:
                found[name] = _study(name, model, Path(folder), args)
    if args.json:
        args.json.write_text(json.dumps(found, indent=1))


def _segformer(folder: Path) -> str:
    """A SegFormer-B0 with random weights, for the images of CamVid; "" without transformers."""
    try:
        from transformers import SegformerConfig, SegformerForSemanticSegmentation
    except ImportError:
        return ""
    torch.manual_seed(0)
    config = SegformerConfig(num_labels=11)
    config.id2label = {k: f"class {k}" for k in range(11)}
    SegformerForSemanticSegmentation(config).save_pretrained(folder / "segformer")
    return str(folder / "segformer")


def _study(name: str, model: str, folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    original = folder / f"{name}.onnx"
    export_logits(
        NetworkSettings(model=model, input_size=None if name == "embedded" else (352, 480)), original, TARGETS["onnx"]
    )
    files = {"float32": original, **_lower(original, folder, args)}
    rows: dict[str, Any] = {}
    loaded = {
        (kind, runtime): load_network(str(file), device="cpu", backend=runtime)
        for kind, file in files.items()
        for runtime, row in RUNTIMES.items()
        if row.fits(torch.device("cpu"))
    }
    for key, network in loaded.items():
        answer = network.infer(np.zeros((360, 480, 3), np.uint8))
        kernel = answer.features is not None and answer.classifier is not None
        rows[" ".join(key)] = {"MB": files[key[0]].stat().st_size / 1e6, "gradients": kernel}
    _judge(loaded, rows, name == "embedded", args)
    _time(loaded, rows, args.rounds)
    _print(name, rows)
    return rows


class _Images(CalibrationDataReader):
    """Images of the part train as the graph takes them."""

    def __init__(self, file: Path, args: argparse.Namespace) -> None:
        network = load_network(str(file), device="cpu")
        data = open_dataset(args.data, "train", load_network("embedded").labels)
        chosen = list(data)[:: max(1, len(data) // args.calibration)][: args.calibration]
        self._name = onnx.load(str(file)).graph.input[0].name
        self._inputs = iter([(data.read(one)[0], network.input_spec) for one in chosen])

    def get_next(self) -> dict[str, np.ndarray] | None:
        image, spec = next(self._inputs, (None, None))
        return None if image is None else {self._name: preprocess(image, spec, torch.device("cpu")).numpy()}


def _lower(original: Path, folder: Path, args: argparse.Namespace) -> dict[str, Path]:
    """The same network in lower precision, by the tools of ONNX Runtime."""
    stem = original.stem
    half, static, dynamic = (folder / f"{stem}_{kind}.onnx" for kind in ("half", "static", "dynamic"))
    onnx.save(convert_float_to_float16(onnx.load(str(original)), keep_io_types=True), str(half))
    quantize_static(str(original), str(static), _Images(original, args), quant_format=QuantFormat.QDQ, per_channel=True)
    quantize_dynamic(str(original), str(dynamic))
    return {"float16": half, "int8 static": static, "int8 dynamic": dynamic}


def _judge(loaded: dict[Any, Any], rows: dict[str, Any], errors: bool, args: argparse.Namespace) -> None:
    """Classes, entropy and errors of every file on the part test."""
    data = open_dataset(args.data, "test", load_network("embedded").labels)
    wanted = args.images or (len(data) if errors else 40)
    chosen = list(data)[:: max(1, len(data) // wanted)][:wanted]
    sums = {key: {"same": 0.0, "mean": 0.0, "most": 0.0, "counts": np.zeros((2, BINS))} for key in loaded}
    matrices = {key: ConfusionMatrix(11) for key in loaded}
    for sample in chosen:
        image, truth = data.read(sample)
        first = None
        for key, network in loaded.items():
            maps = uncertainty_maps(network.infer(image))
            first = first or maps
            gap, one = (maps.entropy - first.entropy).abs(), sums[key]
            one["same"] += float((maps.classes == first.classes).float().mean()) / len(chosen)
            one["mean"] += float(gap.mean()) / len(chosen)
            one["most"] = max(one["most"], float(gap.max()))
            classes, labelled = maps.classes.numpy(), truth != 255
            matrices[key].add(truth, classes)
            place = np.minimum((maps.entropy.numpy()[labelled] * BINS).astype(int), BINS - 1)
            for wrong in (0, 1):
                chosen_places = place[(classes != truth)[labelled] == bool(wrong)]
                one["counts"][wrong] += np.bincount(chosen_places, minlength=BINS)
    for key, one in sums.items():
        row = rows[" ".join(key)] | {
            "same classes": one["same"],
            "entropy mean": one["mean"],
            "entropy max": one["most"],
        }
        if errors:
            right, wrong = one["counts"] / one["counts"].sum(1, keepdims=True)
            below = np.cumsum(right) - right
            row |= {"mIoU": matrices[key].mean_iou(), "AUROC": float((wrong * (below + right / 2)).sum())}
        rows[" ".join(key)] = row


def _time(loaded: dict[Any, Any], rows: dict[str, Any], rounds: int) -> None:
    """Median time of the network alone on one image, all in turns."""
    image = np.random.default_rng(0).integers(0, 256, (360, 480, 3), dtype=np.uint8)
    times: dict[Any, list[float]] = {key: [] for key in loaded}
    for turn in range(rounds + 2):
        for key, network in loaded.items():
            begin = time.perf_counter()
            network.infer(image)
            if turn >= 2:
                times[key].append(time.perf_counter() - begin)
    first = float(np.median(next(iter(times.values()))))
    for key, values in times.items():
        rows[" ".join(key)] |= {"ms": float(np.median(values)) * 1e3, "speed": first / float(np.median(values))}


def _print(name: str, rows: dict[str, Any]) -> None:
    columns = list(next(iter(rows.values())))
    print(f"| {name} | " + " | ".join(columns) + " |\n|---|" + "---:|" * len(columns))
    for row, values in rows.items():
        cells = (f"{v:.4g}" if isinstance(v, float) else ("yes" if v else "no") for v in values.values())
        print(f"| {row} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
