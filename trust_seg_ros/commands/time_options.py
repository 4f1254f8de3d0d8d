"""Options of ``trust-seg time``: sequences and sets of settings by text."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from trust_seg_ros.commands import given_paths as given
from trust_seg_ros.commands.outcome import record
from trust_seg_ros.datasets.errors import DatasetError

if TYPE_CHECKING:
    from rich.console import Console

    from trust_seg_ros.evaluation.time.recorded import Recorded
    from trust_seg_ros.evaluation.time.sequences import Sequence
    from trust_seg_ros.evaluation.time.study import Variant
    from trust_seg_ros.segmentation.labels import LabelSet

DRAWN, OBJECTS = "synthetic:", "objects:"


def sequence(name: str, value: str, args: argparse.Namespace) -> None:
    """``synthetic:...``, ``objects:FOLDER``, a labelled folder, or a recording."""
    if value.startswith(DRAWN):
        return
    path = Path(value.removeprefix(OBJECTS)).expanduser()
    if not path.exists():
        raise DatasetError(
            f"{value}: no such file or folder; expected synthetic:seeds=FIRST-LAST, a labelled folder, objects:FOLDER, "
            "or a recording"
        )


def add_sequence_arguments(parser: argparse.ArgumentParser) -> None:
    """SEQUENCE, --split, --hz."""
    action = parser.add_argument(
        "sequences", nargs="+", metavar="SEQUENCE", help="what to judge, see below; several are judged together"
    )
    given.expects(action, sequence)
    parser.add_argument(
        "--split",
        nargs="+",
        default=["test"],
        help="splits of a labelled folder (default: test); ignored without splits",
    )
    parser.add_argument(
        "--hz",
        type=float,
        default=30.0,
        metavar="N",
        help="the last number in the names of images counts frames at this rate (default: %(default)g)",
    )


def add_variant_argument(group: argparse._ActionsContainer) -> None:
    """--variant, several times; ``args.variants`` holds lists of words."""
    variants = group.add_argument(
        "--variant",
        dest="variants",
        action="append",
        nargs="+",
        default=[],
        metavar=("NAME", "PARAM:=VALUE"),
        help="a set of settings to compare: its name and parameters of the node that differ, such as calm calm:=on; "
        "several times (default: raw, the parameters as they are)",
    )
    given.expects(variants, _variant)


def _variant(name: str, value: list[str], args: argparse.Namespace) -> None:
    for word in value[1:]:
        given.parameter(name, word, args)


def add_judge_arguments(group: argparse._ActionsContainer) -> None:
    """--fit-ood and what goes with it."""
    file = group.add_argument(
        "--fit-ood",
        type=Path,
        metavar="FILE",
        help="also fit a judge of OoD segments that looks back, on those of the first variant in sequences with known "
        "unknown objects, and write it for the node (ood.meta_model; needs tracking); judge it on other sequences",
    )
    given.expects(file, given.new_file("ood_time.json"))
    group.add_argument(
        "--frames",
        type=int,
        default=10,
        metavar="N",
        help="how many frames it looks back, 2 or more (default: %(default)s)",
    )
    group.add_argument(
        "--classifier",
        choices=("boosting", "ridge", "logistic"),
        default="boosting",
        help="boosted trees, or a linear model with or without a penalty on large weights (default: %(default)s)",
    )


def save_judge(args: argparse.Namespace, console: Console, drives: tuple[Recorded, ...], first: Variant) -> None:
    """Fit and write the judge of --fit-ood.

    Raises:
        EvaluationError, MetaModelError: the sequences do not suffice for a fit.
    """
    from trust_seg_ros.evaluation.time.ood_judge import fit_judge
    from trust_seg_ros.pipeline import TrustPipeline

    pipeline = TrustPipeline.load(first.pipeline)
    model = fit_judge(drives, pipeline, first.thresholds, args.frames, args.classifier)
    model.save(args.fit_ood)
    record(args, meta_model={"file": args.fit_ood, "score": model.score, "threshold": model.threshold})
    console.print(
        f"wrote {args.fit_ood}: fitted on {model.summary['segments']:,} OoD segments; parameters of the node: "
        f"tracking:=on ood.meta_model:={args.fit_ood} ood.score:={model.score}",
        highlight=False,
        soft_wrap=True,
    )


def chosen_variants(args: argparse.Namespace) -> list[Variant]:
    """The sets of settings: ``raw`` if none is named.

    Raises:
        ParameterError: a parameter does not exist, or its value is wrong.
    """
    from trust_seg_ros.commands.replay_parameters import replay_parameters
    from trust_seg_ros.evaluation.time.study import Variant

    found = []
    for name, *words in args.variants or [["raw"]]:
        node = replay_parameters(args.params_file, [*args.parameters, "tracking:=on", *words])
        found.append(Variant(name, node.pipeline, node.thresholds))
    return found


def chosen_sequences(args: argparse.Namespace, labels: LabelSet) -> list[Sequence]:
    """The sequences named.

    Raises:
        EvaluationError, SyntheticDriveError, DatasetError, SourceError: one cannot be used.
    """
    from trust_seg_ros.datasets.layouts import has_splits, open_dataset
    from trust_seg_ros.evaluation.time import sequences as kinds
    from trust_seg_ros.recordings.sources import open_source

    found: list[Sequence] = []
    for text in args.sequences:
        path = Path(text.removeprefix(OBJECTS)).expanduser()
        if text.startswith(DRAWN):
            found += kinds.drive_sequences(text)
        elif text.startswith(OBJECTS):
            found += kinds.object_sequences(path, args.hz)
        elif _labelled(path, args.split):
            for split in args.split if has_splits(path) else [None]:
                label = "_".join(filter(None, (path.resolve().name, split)))
                found += kinds.folder_sequences(open_dataset(path, split, labels), label, args.hz)
        else:
            found.append(kinds.Recording(open_source(path), path.resolve().stem))
    return found


def _labelled(path: Path, splits: list[str]) -> bool:
    """Whether a folder is a labelled data set, of one of the splits at least; otherwise it is a recording."""
    from trust_seg_ros.datasets.layouts import find_split

    if not path.is_dir() or (path / "labels").is_dir():
        return path.is_dir()
    for split in splits:
        try:
            find_split(path, split)
        except DatasetError:
            continue
        return True
    return False
