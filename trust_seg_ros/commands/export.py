"""``trust-seg export``: writes a network as a graph for other programs, and says how its answers differ."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from trust_seg_ros.commands.console import command_console, say, waiting
from trust_seg_ros.commands.data_options import network_settings
from trust_seg_ros.commands.export_options import add_export_arguments, head_settings
from trust_seg_ros.commands.outcome import record
from trust_seg_ros.support.backends import BACKENDS

if TYPE_CHECKING:
    from rich.console import Console

    from trust_seg_ros.exporting.logits import Exported
    from trust_seg_ros.exporting.trust import Difference, ExportedHead

EPILOG = """examples:
  trust-seg export --out embedded.onnx
  trust-seg export /models/segformer --input-size 1024x512 --out segformer.onnx
  trust-seg export my_networks.unet:load --labels mine.yaml --to openvino --out unet.xml
  trust-seg show street.jpg --model unet.xml                          what it says needs no further setting
  trust-seg export --head trust --image-size 1920x1080 --out trust.onnx
  trust-seg export --head trust --image-size 1920x1080 --maps class,energy --range energy=-20:0 --out trust.onnx

With --head logits the file gives raw logits at the network's own resolution and, where its last layer is a plain
convolution, that layer's input, so that every score works. Classes, colours and normalisation stand in it. With --head
trust it takes the camera's picture (1, H, W, 3) uint8 and gives maps of class and uncertainty, a byte per pixel each:
resizing, normalisation, upsampling and softmax lie inside, and this package cannot run it as a network any more.
The file is read again, and the differences from this package's own answers are printed. Its hash is another than the
network's: meta models and calibrations are made for one of them. docs/export.md.
"""
ENOUGH = 0.9999
"""Share of the pixels of a scene that must keep their class."""
NEAR = 1e-3
"""Share of the largest logit that logits may differ by."""
STEP = 1.0
"""Steps of a byte that a map may differ by; rounding alone takes half a one."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add_export_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Export; returns the exit status: 1 if the file answers otherwise than the network."""
    from trust_seg_ros.exporting.logits import export_logits
    from trust_seg_ros.exporting.targets import find_target
    from trust_seg_ros.exporting.trust import export_trust
    from trust_seg_ros.segmentation.errors import ModelSpecError

    target = find_target(args.to, args.out)
    if args.backend != BACKENDS[0] or args.features_layer or args.half == "on":
        raise ModelSpecError("--backend, --features-layer and --half on do not apply: torch exports in float32")
    if args.network and args.model not in ("embedded", args.network):
        raise ModelSpecError(f"two networks, {args.network} and --model {args.model}; expected one")
    args.model = args.network or args.model
    if not network_settings(args).passes.single:
        raise ModelSpecError(
            "--input-window, --input-scales and --input-flip do not apply: a file holds one pass of the network"
        )
    if args.head not in target.heads:
        raise ModelSpecError(f"--to {target.name} gives logits only; write --head {args.head} with --to onnx")
    head = head_settings(args)
    console, file = command_console(160), args.out.expanduser()
    with waiting(console, "making the graph"):
        if head is None:
            found = export_logits(network_settings(args), file, target)
        else:
            maps = export_trust(network_settings(args), head, file, target)
    record(args, to=target.name, head=args.head)
    same = _told_logits(args, console, found) if head is None else _told_maps(args, console, maps)
    if not same:
        print(
            f"trust-seg export: {args.out} answers otherwise than the network; use it with care, or run the network "
            "with backend:=torch",
            file=sys.stderr,
        )
    return 0 if same else 1


def _told_logits(args: argparse.Namespace, console: Console, found: Exported) -> bool:
    """Say what was written; returns whether it answers as the network does."""
    record(
        args,
        file=found.files[0],
        files=list(found.files),
        bytes=found.bytes,
        input_size=None if found.size is None else list(found.size),
        features=found.features,
        read_by=found.backend,
        same_classes=found.same_classes,
        difference=found.difference,
    )
    size = "images of any size" if found.size is None else f"images stretched to {found.size[1]}x{found.size[0]}"
    scores = "every score" if found.features else "no gradient or feature scores, as its last layer is not known"
    say(console, f"wrote {args.out} ({found.bytes / 1e6:.1f} MB; {size}; {scores})")
    say(
        console,
        f"read by {found.backend}: {found.same_classes:.3%} of the pixels of a scene keep their class, logits differ "
        f"by up to {found.difference:.1e} of the largest",
    )
    return found.same_classes >= ENOUGH and found.difference <= NEAR


def _told_maps(args: argparse.Namespace, console: Console, found: ExportedHead) -> bool:
    """Say what was written; returns whether every runtime gives the package's maps."""
    record(
        args,
        file=found.files[0],
        files=list(found.files),
        bytes=found.bytes,
        image_size=None if found.size is None else list(found.size),
        maps=[{"name": one.name, "scale": one.scale, "zero": one.zero} for one in found.maps],
        differences=[
            {"read_by": one.runtime, "same_classes": one.same_classes, "steps": one.steps} for one in found.differences
        ],
    )
    size = f"images with sides that are multiples of {found.stride}"
    if found.size is not None:
        pixels = found.size[0] * found.size[1] / 1e6
        size = (
            f"images of {found.size[1]}x{found.size[0]}; {len(found.maps) * pixels:.1f} MB of maps leave it instead of "
            f"{4 * found.classes * pixels:.0f} of logits"
        )
    say(console, f"wrote {args.out} ({found.bytes / 1e6:.1f} MB; {size})")
    for one in found.maps:
        low, high = one.range
        code = "the byte is the class" if one.name == "class" else f"bytes 0 to 255 are {low:g} to {high:g}"
        say(console, f"  {one.name}: {one.text}; {code}")
    for difference in found.differences:
        say(console, f"read by {difference.runtime}: {_words(difference)}")
    return bool(found.differences) and all(map(_is_same, found.differences))


def _words(found: Difference) -> str:
    parts = [f"{name} differs by up to {steps:.3f} of a step" for name, steps in found.steps.items()]
    if found.same_classes is not None:
        parts.insert(0, f"{found.same_classes:.4%} of the pixels of a scene keep their class")
    return "; ".join(parts)


def _is_same(found: Difference) -> bool:
    classes = found.same_classes is None or found.same_classes >= ENOUGH
    return classes and all(steps <= STEP for steps in found.steps.values())
