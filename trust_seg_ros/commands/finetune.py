"""``trust-seg finetune``: entropy maximisation, so that a network is unsure of objects it never learned."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from trust_seg_ros.commands import given_paths as given
from trust_seg_ros.commands.data_options import add_network_arguments, network_settings
from trust_seg_ros.commands.label_options import add_label_arguments
from trust_seg_ros.commands.outcome import record
from trust_seg_ros.commands.parsing import add_alias
from trust_seg_ros.support.bars import bars

if TYPE_CHECKING:
    from trust_seg_ros.training.finetune_settings import FineTuneSettings

EPILOG = """examples:
  trust-seg finetune --in-distribution data/cityscapes --ood data/coco_ood --model mynets:deeplab --out runs/ood
  trust-seg finetune --in-distribution data/camvid synthetic:seeds=0-121 \\
      --ood synthetic:seeds=10000-10399:kinds=deer,cow,box:rate=4 --ood-rest labelled \\
      --judge val test --judge-ood synthetic:seeds=20000-20099:kinds=dog,sofa:rate=4 --out runs/ood
  torchrun --nproc-per-node 4 -m trust_seg_ros.cli finetune ...       (several GPUs: the same batch, shared)
  the same command again continues from the checkpoint in OUT

out-of-distribution (OoD) data: a folder with images/ and
  labels/ or labels_masks/   PNG: 0 = not annotated, 1 = OoD, 255 = void
  unknown/                   PNG: above 0 = OoD, as trust-seg synthetic writes it, beside labels/
LostAndFound, Fishyscapes or RoadAnomaly; or scenes of the synthetic drive,
synthetic:seeds=FIRST-LAST:kinds=KIND,KIND[:rate=N][:size=WIDTHxHEIGHT][:weather=NAME][:look=NAME]
or photographs of objects pasted into labelled street scenes,
pasted:objects=FOLDER:on=FOLDER:seeds=FIRST-LAST[:each=N]...           (docs/finetune.md)
or some images of a folder, marked:images=FOLDER:named=PATTERN+PATTERN
Pixels that are not annotated are ignored.

OUT gets weights.safetensors (or model/), log.csv with a row per step, and the checkpoint; see docs/finetune.md.
"""

STOPPED = "the same command goes on from the last checkpoint in --out"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand; defaults are the published recipe."""
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    _add_data(parser)
    _add_recipe(parser)
    _add_running(parser)
    add_network_arguments(parser)


def _add_data(parser: argparse.ArgumentParser) -> None:
    data = parser.add_argument_group("data")
    several = {"nargs": "+", "action": "extend", "metavar": "DATASET"}
    known = data.add_argument(
        "--in-distribution",
        required=True,
        **several,
        help="labelled data for this network: Cityscapes, CamVid, images/ and labels/, or synthetic:seeds=FIRST-LAST",
    )
    given.expects(known, given.labelled_or_drawn)
    ood = data.add_argument("--ood", required=True, **several, help="images of out-of-distribution objects, see below")
    given.expects(ood, given.with_unknown)
    out = data.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the run")
    given.expects(out, given.new_folder)
    data.add_argument("--split", default="train", help="part of labelled folders to train on (default: %(default)s)")
    add_label_arguments(data)
    data.add_argument(
        "--judge",
        nargs="+",
        metavar="SPLIT",
        help="splits of the first labelled folder, or synthetic: sets; their mIoU is reported before and after "
        "(default: val, if there is one)",
    )
    judged = data.add_argument(
        "--judge-ood",
        nargs="+",
        default=[],
        metavar="DATASET",
        help="data as for --ood; AuPRC and FPR95 of the entropy are reported before and after; label 0 counts as in "
        "distribution here",
    )
    given.expects(judged, given.with_unknown)


def _add_recipe(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("recipe (defaults as published)")
    group.add_argument(
        "--lambda",
        dest="ood_weight",
        type=float,
        default=0.9,
        metavar="L",
        help=_help("weight of OoD pixels; the others weigh 1-L"),
    )
    group.add_argument(
        "--normalise",
        choices=("joint", "each"),
        default="joint",
        help=_help(
            "joint: a pixel weighs 1-L or L; each: the means over known and over unknown pixels weigh 1-L and L"
        ),
    )
    group.add_argument("--learning-rate", type=float, default=1e-5, metavar="RATE", help=_help("Adam, constant"))
    group.add_argument("--batch", type=int, default=8, metavar="N", help=_help("crops per step, over all processes"))
    group.add_argument(
        "--crop",
        type=int,
        nargs="+",
        default=[480],
        metavar="PIXELS",
        help="side, or height and width, of the crops; no larger than the network's input (default: 480)",
    )
    group.add_argument("--epochs", type=int, default=4, metavar="N", help=_help("passes over the labelled images"))
    group.add_argument(
        "--ratio", type=float, default=0.1, metavar="R", help=_help("OoD images per labelled image in an epoch")
    )
    group.add_argument(
        "--paste",
        type=float,
        default=0.0,
        metavar="SHARE",
        help=_help(
            "share of labelled crops that get an OoD object pasted onto the ground; pixels around it keep their classes"
        ),
    )
    group.add_argument(
        "--ood-rest",
        choices=("ignored", "labelled"),
        default="ignored",
        help=_help("pixels around OoD objects: ignored, or in distribution where their class is annotated"),
    )
    group.add_argument(
        "--augment",
        choices=("published", "strong"),
        default="published",
        help=_help("published: crop and mirror; strong: also zoom, turn slightly, change colours"),
    )
    group.add_argument(
        "--loss-stride",
        type=int,
        default=1,
        metavar="N",
        help=_help("compute the loss on every N-th row and column; 2 saves time on a CPU"),
    )
    group.add_argument("--seed", type=int, default=0, help=_help("of all random numbers"))


def _add_running(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("running")
    group.add_argument("--threads", type=int, default=0, metavar="N", help=_help("CPU threads; 0 = all cores"))
    readers = group.add_argument(
        "--readers", dest="workers", type=int, default=2, metavar="N", help=_help("threads that read and crop")
    )
    add_alias(group, readers, "--workers")
    group.add_argument(
        "--checkpoint-every",
        type=int,
        default=200,
        metavar="STEPS",
        help=_help("one is also written after every epoch"),
    )


def _help(text: str) -> str:
    return text + " (default: %(default)s)"


def run(args: argparse.Namespace) -> int:
    """Fine-tune; returns the exit status."""
    from trust_seg_ros.training.finetune import FineTuner
    from trust_seg_ros.training.team import joined_team

    settings = settings_of(args)
    with joined_team(settings.network.device) as team:
        console = Console(quiet=not team.first)
        tuner = FineTuner(settings, team, lambda text: console.print(text, highlight=False, soft_wrap=True))
        mixture = tuner.mixture
        console.print(
            f"{len(mixture.labelled)} labelled images, {mixture.ood_per_epoch} of {len(mixture.ood)} OoD images per "
            f"epoch; {tuner.steps} steps of {settings.mix.batch} crops {mixture.crop[1]}x{mixture.crop[0]} on "
            f"{team.size} x {team.device}{' in bfloat16' if tuner.half else ''}",
            highlight=False,
            soft_wrap=True,
        )
        with bars(console, TextColumn("{task.fields[note]}"), TimeElapsedColumn()) as bar:
            before, after = tuner.run(*_ticks(bar, tuner.steps, tuner.state.step, tuner.images_judged))
        record(args, out=settings.out, steps=tuner.steps, before=before, after=after)
        if after:
            console.print(_table(before, after))
    return 0


def settings_of(args: argparse.Namespace) -> FineTuneSettings:
    """Settings from the options.

    Raises:
        TrainingError: a value out of its range.
    """
    from trust_seg_ros.training.errors import TrainingError
    from trust_seg_ros.training.finetune_settings import FineTuneSettings
    from trust_seg_ros.training.mixing import MixSettings

    if len(args.crop) > 2:
        raise TrainingError(f"--crop {' '.join(map(str, args.crop))}: expected one side, or height and width")
    mix = MixSettings(
        batch=args.batch,
        crop=(args.crop[0], args.crop[-1]),
        ratio=args.ratio,
        paste=args.paste,
        keep_rest=args.ood_rest == "labelled",
        augmentation=args.augment,
        seed=args.seed,
    )
    return FineTuneSettings(
        in_distribution=tuple(args.in_distribution),
        ood=tuple(args.ood),
        out=args.out,
        network=network_settings(args),
        mix=mix,
        split=args.split,
        ignore=None if args.ignore is None else tuple(args.ignore),
        label_map=args.label_map,
        accept_labels=args.accept_labels,
        ood_weight=args.ood_weight,
        normalisation=args.normalise,
        learning_rate=args.learning_rate,
        epochs=args.epochs,
        loss_stride=args.loss_stride,
        judge=None if args.judge is None else tuple(args.judge),
        judge_ood=tuple(args.judge_ood),
        threads=args.threads,
        workers=args.workers,
        checkpoint_every=args.checkpoint_every,
    )


def _ticks(
    bar: Progress, steps: int, done: int, images: int
) -> tuple[Callable[[int, float], None], Callable[[], None]]:
    """Callbacks for training steps and judged images; the bar for judging shows only while judging."""
    training = bar.add_task("training", total=steps, completed=done, note="")
    judging = bar.add_task("judging", total=images, visible=False, note="")

    def stepped(step: int, loss: float) -> None:
        bar.update(judging, visible=False, completed=0)
        bar.update(training, completed=step, note=f"loss {loss:.4f}")

    def looked() -> None:
        bar.update(judging, visible=True, advance=1)

    return stepped, looked


def _table(before: dict[str, float], after: dict[str, float]) -> Table:
    table = Table("measure, %", "before", "after", "change", title="before and after entropy maximisation")
    for name, value in after.items():
        first = before.get(name)
        old, change = ("–", "–") if first is None else (f"{100 * first:.2f}", f"{100 * (value - first):+.2f}")
        table.add_row(name, old, f"{100 * value:.2f}", change)
    return table
