"""``trust-seg export``: writes a network as an .onnx file, and says how its answers differ."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from trust_seg_ros.commands import given_paths as given
from trust_seg_ros.commands.console import command_console, say, waiting
from trust_seg_ros.commands.data_options import add_network_arguments, network_settings
from trust_seg_ros.commands.outcome import record
from trust_seg_ros.support.backends import BACKENDS

EPILOG = """examples:
  trust-seg export --out embedded.onnx
  trust-seg export --model /models/segformer --input-size 1024x512 --out segformer.onnx
  trust-seg export --model my_networks.unet:load --labels mine.yaml --out unet.onnx
  trust-seg show street.jpg --model unet.onnx                         what it says needs no further setting

The file gives raw logits at the network's own resolution and, where its last layer is a plain convolution, that layer's
input, so that every score works. Classes, colours and normalisation stand in it. It is read again and shown a scene,
and the differences are printed. Its hash is another than the network's: meta models and calibrations are made for one
of them (backend:=onnxruntime runs the network itself as a graph, with the files made for it). docs/export.md.
"""
ENOUGH = 0.9999
"""Share of the pixels of a scene that must keep their class."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    out = parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="file to write, ending in .onnx")
    given.expects(out, given.new_file("net.onnx"))
    add_network_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Export; returns the exit status: 1 if the file answers otherwise than the network."""
    from trust_seg_ros.segmentation.errors import ModelSpecError
    from trust_seg_ros.segmentation.onnx_export import export_onnx

    if args.out.suffix != ".onnx":
        raise ModelSpecError(f"--out {args.out}: expected a name that ends in .onnx")
    if args.backend != BACKENDS[0] or args.features_layer or args.half == "on":
        raise ModelSpecError("--backend, --features-layer and --half on do not apply: torch exports in float32")
    console = command_console(160)
    with waiting(console, "making the graph"):
        found = export_onnx(network_settings(args), args.out.expanduser())
    same = found.same_classes >= ENOUGH
    record(
        args,
        file=found.file,
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
    if not same:
        print(
            f"trust-seg export: {args.out} answers otherwise than the network; use it with care, or run the network "
            "with backend:=torch",
            file=sys.stderr,
        )
    return 0 if same else 1
