"""``trust-seg show``: draws what a network predicts for images, and how far to trust each segment."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import track
from rich.text import Text

from trust_seg_ros.commands import given_paths
from trust_seg_ros.commands.console import command_console, waiting
from trust_seg_ros.commands.data_options import (
    add_grid_argument,
    add_network_arguments,
    add_segments_from_argument,
    network_settings,
)
from trust_seg_ros.commands.label_options import add_label_arguments, label_remarks, label_values
from trust_seg_ros.commands.min_share import add_min_share_argument, check_min_share
from trust_seg_ros.commands.outcome import record
from trust_seg_ros.commands.shared_options import add_meta_model_argument
from trust_seg_ros.commands.show_recordings import (
    add_recording_arguments,
    check_recordings,
    frames_of,
    is_recording,
)

if TYPE_CHECKING:
    import numpy as np

    from trust_seg_ros.evaluation.show.show import Findings
    from trust_seg_ros.pipeline import TrustPipeline
    from trust_seg_ros.types import Json

EPILOG = """examples:
  trust-seg show street.jpg
  trust-seg show street.jpg --truth street_label.png --true-iou --csv segments.csv
  trust-seg show data/camvid/test/images --truth data/camvid/test/labels --out out/pictures
  trust-seg show drive.mp4 bags/town --every 5 --out out/pictures                 frames of recordings
  trust-seg show street.jpg --model mine.pt2 --labels mine.yaml --meta-model meta.json --threshold 0.7

The picture has four panels, as figure 1 of MetaSeg (Rottmann et al. 2020): ground truth (without it the image),
predicted classes, predicted IoU_adj of each segment from red (0) to green (1), and entropy. Segments that are probably
wrong are outlined in white, and unknown objects in the panel of the prediction: what the node would publish with its
default parameters. For a single image, its segments are listed, least trusted first, and its unknown objects.

With ground truth, pixels that it ignores are removed before segments are formed, as in fitting and evaluating. Without
it, segments are the same as in the node. docs/show.md explains the picture and the table.
"""
STOPPED = "pictures that are written stay, the same command writes all anew"
_ROWS = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    images = parser.add_argument(
        "images", type=Path, nargs="+", metavar="SOURCE", help="image, folder of images, video or bag"
    )
    given_paths.expects(images, given_paths.images)
    add_recording_arguments(parser.add_argument_group("videos and bags"))
    truth = parser.add_argument(
        "--truth",
        type=Path,
        metavar="PATH",
        help="ground truth: a label image (PNG of class ids), or a folder with a label image named like each image",
    )
    given_paths.expects(truth, given_paths.truth)
    add_label_arguments(parser)
    add_network_arguments(parser)
    _add_judging_arguments(parser.add_argument_group("judging"))
    picture = parser.add_argument_group("picture")
    out = picture.add_argument(
        "--out", type=Path, metavar="PATH", help="file ending in .png, or folder (default: ./NAME.trust.png)"
    )
    given_paths.expects(out, given_paths.picture_or_folder)
    picture.add_argument(
        "--true-iou", action="store_true", help="six panels: also the image, and the true IoU_adj of each segment"
    )
    picture.add_argument(
        "--width", type=int, metavar="PIXELS", help="width of the picture (default: by the image's shape)"
    )
    table = parser.add_argument_group("segment table")
    table.add_argument(
        "--top", type=int, metavar="N", help=f"rows (default: {_ROWS} for one image, none for several; 0: none)"
    )
    table.add_argument(
        "--min-size",
        type=int,
        metavar="PIXELS",
        help="list segments of this size or more (default: those with an interior, as in fitting; 1: all)",
    )
    csv = table.add_argument("--csv", type=Path, metavar="FILE", help="write all segments of all images to this file")
    given_paths.expects(csv, given_paths.not_a_folder)


def _add_judging_arguments(group: argparse._ArgumentGroup) -> None:
    add_meta_model_argument(group, "gives P(wrong) and the predicted IoU")
    add_grid_argument(group, "as many pixels as the grid that the meta model was fitted on, else the image")
    add_segments_from_argument(group, "what the meta model was fitted with, else components")
    group.add_argument(
        "--threshold",
        type=float,
        default=0.5,
        metavar="P",
        help="P(wrong) from which a segment is outlined (default: %(default)s)",
    )
    add_min_share_argument(group, "outlined")


def run(args: argparse.Namespace) -> int:
    """Show the images; returns the exit status."""
    from trust_seg_ros.evaluation.show import files

    _check(args)
    given = [path.expanduser() for path in args.images]
    recordings = [path for path in given if is_recording(path)]
    check_recordings(args, recordings, files.ShowError)
    images = files.find_images([path for path in given if path not in recordings])
    truths = [] if args.truth is None else files.find_truth(images, args.truth.expanduser())
    places = files.places(images, args.out and args.out.expanduser())
    csv = [] if args.csv is None else [args.csv.expanduser()]
    files.keep_inputs([*images, *truths], [*places, *csv])
    console = command_console(160)
    with waiting(console, "loading the network"):
        pipeline = _pipeline(args)
    read = _reader(args, pipeline, images, truths)
    folder = args.out.expanduser() if args.out is not None else Path()
    for path in (*(places[:1] or [folder / "NAME"]), *csv):
        files.make_folder(path)
    single = len(images) == 1 and not recordings
    top = args.top if args.top is not None else _ROWS if single else 0
    report = _Report(console, args, top)
    quiet = single or not console.is_terminal
    steps = track(range(len(images)), "images", console=console, disable=quiet, transient=True)
    for index in steps:
        report.add(pipeline, images[index], places[index], *read(index))
    for recording in recordings:
        for name, pixels in frames_of(args, recording, report.tell):
            report.add(pipeline, recording.with_name(name), folder / (name + files.ENDING), pixels, None)
    report.finish()
    return 0


class _Report:
    """Writes pictures and prints tables, image by image."""

    def __init__(self, console: Console, args: argparse.Namespace, top: int) -> None:
        self.console, self.args, self.top = console, args, top
        self.rows: list[str] = []
        self.shown: list[Json] = []
        self.notes: dict[str, str] = {}

    def add(
        self, pipeline: TrustPipeline, image: Path, place: Path, pixels: np.ndarray, truth: np.ndarray | None
    ) -> None:
        """Examine an image, write its picture, print its table."""
        from trust_seg_ros.evaluation.show.files import write_picture
        from trust_seg_ros.evaluation.show.picture import picture
        from trust_seg_ros.evaluation.show.show import examine
        from trust_seg_ros.evaluation.show.table import csv_rows, json_rows, segments_table
        from trust_seg_ros.evaluation.show.unknown import unknown_rows, unknown_table

        args = self.args
        found = examine(pipeline, pixels, truth, args.threshold, args.min_share)
        objects = unknown_rows(found)
        write_picture(place, picture(found, image.name, width=args.width, true_iou=args.true_iou))
        if args.csv is not None:
            self.rows.append(csv_rows(image.name, found))
        if args.json:
            shown = {"segments": json_rows(image.name, found), "unknown_objects": objects}
            self.shown.append({"image": image, "picture": place, **shown})
        if self.top:
            self.console.print(segments_table(found, image.name, top=self.top, min_size=args.min_size))
            if objects:
                self.console.print(unknown_table(found, image.name, self.top))
        count = f"{len(found.segments)} segments"
        if found.trust is not None:
            count += f", {found.unreliable.sum()} with {found.limits}"
        count += f", {len(objects)} unknown object{'s' * (len(objects) != 1)}"
        self._say(f"wrote {place} ({count})")
        self._note(found, image.name)

    def finish(self) -> None:
        """Write the CSV file, and print remarks on all images."""
        if self.args.csv is not None:
            from trust_seg_ros.evaluation.show.files import write_file
            from trust_seg_ros.evaluation.show.table import csv_head

            write_file(self.args.csv.expanduser(), (csv_head() + "".join(self.rows)).encode())
            self._say(f"wrote {self.args.csv} (all segments)")
        record(self.args, pictures=self.shown, csv=self.args.csv, notes=list(self.notes.values()))
        for note in self.notes.values():
            self._say(f"note: {note}")

    def _note(self, found: Findings, name: str) -> None:
        if found.trust is None and self.args.meta_model == "auto":
            self.notes["none"] = (
                f"no meta model of network {found.network}: segments are coloured and sorted by their mean entropy, "
                f"and there is no P(wrong). Fit one on labelled images (trust-seg fit DATASET --model {found.network} "
                "--out meta.json), then show with --meta-model meta.json"
            )
        if found.beyond:
            height, width = found.image.shape[:2]
            more = f" and {len(found.beyond) - 5} more metrics" if len(found.beyond) > 5 else ""
            self.notes.setdefault(
                "beyond",
                f"in {name}, {', '.join(found.beyond[:5])}{more} of some segments lie far outside what the meta "
                f"model was fitted on: do not rely on its predictions for them, fit it on images like these "
                f"({width}x{height})",
            )

    def tell(self, text: str) -> None:
        """Note what was left out."""
        self._say(f"left out: {text}")

    def _say(self, text: str) -> None:
        self.console.print(Text(text), soft_wrap=True)


def _check(args: argparse.Namespace) -> None:
    """Refuse impossible options before the work starts."""
    from trust_seg_ros.evaluation.show.files import ShowError
    from trust_seg_ros.evaluation.show.picture import MAX_WIDTH, MIN_WIDTH

    for name, least in (("top", 0), ("min_size", 1)):
        value = getattr(args, name)
        if value is not None and value < least:
            raise ShowError(f"--{name.replace('_', '-')} {value}: expected at least {least}")
    if args.width is not None and not MIN_WIDTH <= args.width <= MAX_WIDTH:
        raise ShowError(f"--width {args.width}: expected {MIN_WIDTH} to {MAX_WIDTH} pixels")
    if not 0.0 <= args.threshold <= 1.0:  # also refuses NaN
        raise ShowError(f"--threshold {args.threshold:g}: expected a probability, 0 to 1")
    check_min_share(args, ShowError)
    for name in ("true_iou", "ignore", "label_map", "accept_labels"):
        if getattr(args, name) not in (None, False) and args.truth is None:
            raise ShowError(f"--{name.replace('_', '-')} needs ground truth; give it with --truth")


def _pipeline(args: argparse.Namespace) -> TrustPipeline:
    from trust_seg_ros.pipeline import PipelineSettings, TrustPipeline

    settings = PipelineSettings(
        **asdict(network_settings(args)),
        meta_model=args.meta_model,
        grid=args.grid,
        segments_from=args.segments_from,
    )
    return TrustPipeline.load(settings)


def _reader(
    args: argparse.Namespace, pipeline: TrustPipeline, images: Sequence[Path], truths: Sequence[Path]
) -> Callable[[int], tuple[np.ndarray, np.ndarray | None]]:
    """Image and ground truth by number; raises DatasetError for a file that cannot be read."""
    from trust_seg_ros.datasets.folders import read_image
    from trust_seg_ros.evaluation.show.files import label_readers
    from trust_seg_ros.types import UNLABELLED

    if not truths:
        return lambda index: (read_image(images[index]), None)
    ignore, label_map = label_values(args, pipeline.labels)
    if ignore is None:
        ignore = pipeline.labels.without_class if label_map is None else (UNLABELLED,)
    folders = label_readers(images, truths, len(pipeline.labels), ignore, label_map)
    for remark in label_remarks(args, pipeline.network, {str(f.samples[0].labels): f for f in folders}):
        print(f"note: {remark}", file=sys.stderr)
    samples = {sample.image: (folder, sample) for folder in folders for sample in folder}

    def read(index: int) -> tuple[np.ndarray, np.ndarray]:
        folder, sample = samples[images[index]]
        return folder.read(sample)

    return read
