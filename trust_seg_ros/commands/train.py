"""``trust-seg train``: train the embedded compact network."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path

from rich.console import Console
from rich.progress import TextColumn, TimeElapsedColumn

from trust_seg_ros.commands import given_paths as given
from trust_seg_ros.commands.outcome import record
from trust_seg_ros.support.bars import bars
from trust_seg_ros.training.errors import TrainingError
from trust_seg_ros.training.settings import TrainSettings

EPILOG = """examples:
  trust-seg train --camvid data/camvid --out runs/compact
  trust-seg train --camvid data/camvid --out runs/compact            (again: continues from the checkpoint)
  trust-seg train --camvid data/camvid --out runs/quick --iterations 600 --batch 4
  trust-seg train --scenes-only --synthetic-scenes 1200 --crop 96 128 --out runs/synthetic   (no data at all)

The kept weights (see --tolerance) are written to OUT/kept.safetensors, every evaluation to OUT/log.csv.
"""

_HELP = {
    "out": "folder of the run; a checkpoint found there is continued",
    "iterations": "optimiser steps",
    "batch": "CamVid crops per step, or crops of scenes with --scenes-only",
    "synthetic": "crops of the synthetic drive per step",
    "synthetic_scenes": "number of different scenes of the synthetic drive",
    "learning_rate": "peak learning rate of AdamW",
    "weight_decay": "weight decay of the kernels",
    "warm_up": "steps of linear warm-up",
    "rare_share": "share of the crops centred on a rare class",
    "average": "decay of the moving average of the weights",
    "lovasz": "weight of the Lovász softmax loss",
    "evaluate_every": "steps between evaluations on val, or on held-out scenes",
    "tolerance": "keep the latest weights whose val mIoU is at most this below the best",
    "patience": "evaluations without gain before stopping, 0 = never",
    "seed": "seed of all random numbers",
    "threads": "CPU threads",
    "device": "cpu or cuda",
    "limit": "use only this many images (0 = all)",
}

STOPPED = "the same command goes on from the last checkpoint in --out"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand, from the fields of TrainSettings."""
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    source = parser.add_mutually_exclusive_group(required=True)
    text = "folder with train/, val/, test/ of CamVid (480x360, 11 classes)"
    given.expects(source.add_argument("--camvid", type=Path, help=text), given.folder)
    text = "train from scenes of the synthetic drive alone, in random paint and by many cameras; held-out scenes choose"
    source.add_argument("--scenes-only", action="store_true", help=text)
    text = "folder of photographs, of anything, to cut surfaces from for --scenes-only: half of the paint is theirs"
    textures = parser.add_argument("--textures", type=Path, metavar="FOLDER", help=text)
    given.expects(textures, given.folder)
    text = "run convolutions in bfloat16; float32 is faster on a CPU without it (default: %(default)s)"
    parser.add_argument("--half", choices=("on", "off"), default="on", help=text)
    text = "height and width of a crop; with --scenes-only, the network's input is twice as large"
    usual = TrainSettings.crop
    parser.add_argument("--crop", type=int, nargs=2, metavar="PIXELS", default=usual, help=text + " (default: 288 384)")
    types = {"int": int, "float": float, "str": str, "Path": Path}
    for field in fields(TrainSettings):
        if field.name not in _HELP:
            continue
        flag = "--" + field.name.replace("_", "-")
        required = field.name == "out"
        text = _HELP[field.name] + ("" if required else " (default: %(default)s)")
        default = None if required else field.default
        action = parser.add_argument(flag, type=types[str(field.type)], required=required, help=text, default=default)
        if field.name == "out":
            given.expects(action, given.new_folder)


def run(args: argparse.Namespace) -> int:
    """Train; returns the exit status."""
    from trust_seg_ros.training.trainer import Trainer

    console = Console()
    chosen = {name: getattr(args, name) for name in _HELP}
    if args.textures is not None and args.camvid is not None:
        raise TrainingError("--textures paints on scenes of --scenes-only; leave it out with --camvid")
    given = {"camvid": args.camvid, "textures": args.textures, "crop": tuple(args.crop)}
    settings = TrainSettings(**given, bfloat16=args.half == "on", **chosen)
    trainer = Trainer(settings, console.print)
    with bars(console, TextColumn("loss {task.fields[loss]:.3f}"), TimeElapsedColumn()) as bar:
        task = bar.add_task("training", total=settings.iterations, completed=trainer.progress.step, loss=0.0)
        progress = trainer.run(lambda step, loss: bar.update(task, completed=step, loss=loss))
    record(
        args,
        out=settings.out,
        weights=settings.out / "kept.safetensors",
        best_miou=progress.best_miou,
        kept_step=progress.kept_step,
        steps=progress.step,
    )
    console.print(
        f"best val mIoU {progress.best_miou:.4f}; kept step {progress.kept_step}: {settings.out}/kept.safetensors"
    )
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="trust-seg train")
    add_arguments(parser)
    raise SystemExit(run(parser.parse_args()))
