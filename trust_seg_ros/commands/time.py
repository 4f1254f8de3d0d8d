"""``trust-seg time``: segments followed over drives: tracking, flicker, false alarms and delay."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from trust_seg_ros.commands import given_paths as given
from trust_seg_ros.commands.console import command_console, waiting
from trust_seg_ros.commands.options import add_parameter_options
from trust_seg_ros.commands.shared_options import add_cache_argument
from trust_seg_ros.commands.study_run import add_out_argument, finish
from trust_seg_ros.commands.time_options import (
    add_judge_arguments,
    add_sequence_arguments,
    add_variant_argument,
    chosen_sequences,
    chosen_variants,
    save_judge,
)
from trust_seg_ros.evaluation.errors import EvaluationError
from trust_seg_ros.support.bars import stage_bars

EPILOG = """examples:
  trust-seg time synthetic:seeds=0-3 --out out/time
  trust-seg time synthetic:seeds=0-3:hz=30:seconds=10:kinds=deer,box:rate=3 --cache cache --alone --out out/time30
  trust-seg time synthetic:seeds=0-3 --cache cache --variant raw --variant calm calm:=on calm.tau_s:=1.0 --out out/calm
  trust-seg time data/camvid --split test val --out out/camvid
  trust-seg time drive.mp4 --out out/drive
  trust-seg time synthetic:seeds=0-11 --fit-ood ood_time.json --out out/fit

sequences:
  synthetic:seeds=FIRST-LAST[:hz=10][:seconds=20][:kinds=all][:rate=3][:size=480x360][:weather=NAME]
                  drives of the synthetic street, with exact truth of classes, objects and unknown objects
  FOLDER          a labelled folder, every drive in order of the numbers in its names; no identities
  objects:FOLDER  images/ and labels/ with 1 on one known object, which must not be flagged as unknown for long
  a recording     a video, a folder of images, a bag: no truth, so tracks and flicker only

The network answers each frame once; with --cache its answers stay, and other settings are compared without it.
The folder gets report.md and a CSV file per table; docs/time.md explains them.
Put the sequences before the options: an option that takes several values would take them.
"""

STOPPED = "with --cache DIR the sequences that the network has seen are kept, and the same command goes on there"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    parser.epilog, parser.formatter_class = EPILOG, argparse.RawDescriptionHelpFormatter
    add_sequence_arguments(parser)
    add_out_argument(parser)
    cache = add_cache_argument(
        parser, "keep the network's answers there (300 kB a frame at 480x360), for other settings"
    )
    given.expects(cache, given.new_folder)
    parser.add_argument(
        "--alone", action="store_true", help="judge the tracker on the true class maps of synthetic drives, too"
    )
    settings = parser.add_argument_group("settings")
    add_parameter_options(settings)
    add_variant_argument(settings)
    add_judge_arguments(parser.add_argument_group("a judge of OoD segments that looks back"))


def run(args: argparse.Namespace) -> int:
    """Run the study; returns the exit status."""
    if args.frames < 2:
        raise EvaluationError(f"--frames is {args.frames}, expected 2 or more")
    variants = chosen_variants(args)
    console = command_console(200)
    from trust_seg_ros.evaluation.time.contents import contents
    from trust_seg_ros.evaluation.time.study import study
    from trust_seg_ros.segmentation.labels import load_labels

    pipeline = variants[0].pipeline
    with waiting(console, "loading the network"):
        labels = pipeline.label_set() if pipeline.model != "embedded" else load_labels("camvid11")
    sequences = chosen_sequences(args, labels)
    with tempfile.TemporaryDirectory() as scratch:
        cache = Path(scratch) if args.cache is None else args.cache.expanduser()
        cache.mkdir(parents=True, exist_ok=True)
        with stage_bars(console) as announce:
            found = study(sequences, variants, cache, args.alone, announce)
        if args.fit_ood is not None:
            with waiting(console, "fitting a judge of OoD segments"):
                save_judge(args, console, found.drives, variants[0])
        facts = {
            "network": pipeline.model,
            "sequences": f"{len(found.drives)}, {sum(len(drive.stamps) for drive in found.drives):,} frames",
            "drawn or read": "; ".join(drive.text for drive in found.drives),
        }
        facts |= {f"settings {name}": " ".join(words) or "as they are" for name, *words in args.variants or [["raw"]]}
        finish(args, console, contents(found), facts)
    return 0
