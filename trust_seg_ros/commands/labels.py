"""``trust-seg labels``: what a labelling tool exported, as a data set."""

from __future__ import annotations

import argparse
from pathlib import Path

from trust_seg_ros.commands import given_paths as given
from trust_seg_ros.commands.outcome import record

FORMS = ("cvat", "labelstudio", "fiftyone", "coco", "yolo")

EPILOG = """examples:
  trust-seg labels task_12.zip --images mined/images --labels mined/label_set.yaml --out data/mined
  trust-seg labels project-3.json --from labelstudio --images mined/images --labels camvid11 --out data/mined
  trust-seg labels export.zip --labels camvid11 --rename "car=Car" "person=Pedestrian" "sky=ignore" --out data/new
  trust-seg fit data/mined --model mine.pt2 --out meta.json

Writes images/, labels/ (class ids; 255 = no class) and, where there are unknown objects, labels_masks/, so that DATASET
is one for fit, calibrate, evaluate and finetune, and for finetune --ood and benchmark as well. Classes are matched by
name. Images nobody has labelled are left out. docs/labels.md says which of two overlapping regions wins.
"""

STOPPED = "nothing is written; the same command starts anew"
_LISTED = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    export = parser.add_argument(
        "export", type=Path, metavar="EXPORT", help="folder, zip or file that the labelling tool exported"
    )
    given.expects(export, _given_export)
    parser.add_argument(
        "--from", dest="form", choices=FORMS, help="what it is (default: what the files look like, if that is clear)"
    )
    images = parser.add_argument("--images", type=Path, help="folder of the images (default: they are in EXPORT)")
    given.expects(images, given.folder)
    labels = parser.add_argument(
        "--labels", required=True, help="label set: a name or a YAML file, as label_set.yaml of trust-seg mine"
    )
    given.expects(labels, given.label_set)
    out = parser.add_argument("--out", type=Path, required=True, metavar="DATASET", help="new folder to write")
    given.expects(out, given.new_folder)
    parser.add_argument(
        "--rename",
        nargs="+",
        action="extend",
        default=[],
        type=_pair,
        metavar="NAME=CLASS",
        help='what other names in EXPORT mean: a class, "unknown object", or ignore',
    )


def run(args: argparse.Namespace) -> int:
    """Write the data set; returns the exit status."""
    from rich.console import Console

    from trust_seg_ros.mining.returns import write_labels
    from trust_seg_ros.segmentation.labels import load_labels
    from trust_seg_ros.support.bars import bars

    labels = load_labels(args.labels)
    with bars(Console(stderr=True)) as bar:
        task = bar.add_task("images", total=None)
        done = write_labels(
            args.export,
            labels,
            args.out,
            form=args.form,
            images=args.images,
            renamed=dict(args.rename),
            progress=lambda count: bar.update(task, completed=count),
        )
    record(
        args,
        out=args.out,
        form=done.form,
        images=done.images,
        left_out=list(done.without),
        images_with_unknown_objects=done.with_unknown,
        pixels=done.pixels,
        pixels_without_class=done.without_class,
    )
    total = sum(done.pixels.values()) + done.without_class
    print(f"{done.images} images with labels ({done.form}): {args.out}")
    print(f"{done.without_class / total:.1%} of their pixels have no class")
    if done.with_unknown:
        print(f"{done.with_unknown} with unknown objects, marked in {args.out / 'labels_masks'}, for finetune --ood")
    if done.without:
        more = ", …" if len(done.without) > _LISTED else ""
        print(f"left out, as nobody labelled them: {len(done.without)} ({', '.join(done.without[:_LISTED])}{more})")
    return 0


def _given_export(name: str, value: Path, args: argparse.Namespace) -> None:
    if not value.expanduser().exists():
        raise given.GivenPathError(
            f"{value}: no such file or folder; expected what the labelling tool exported: a zip, a folder or a file"
        )


def _pair(text: str) -> tuple[str, str]:
    """``NAME=CLASS``; names may hold =, classes seldom do."""
    name, sign, meaning = text.rpartition("=")
    if not sign or not name or not meaning:
        raise argparse.ArgumentTypeError(f"{text!r}; expected NAME=CLASS, for example person=Pedestrian")
    return name, meaning
