"""``trust-seg corrupt``: look at the corruptions, or write a data set with one of them."""

from __future__ import annotations

import argparse
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from trust_seg_ros.commands import given_paths as given
from trust_seg_ros.commands.corrupt_options import add_corruption_arguments, wished_corruptions
from trust_seg_ros.commands.label_options import add_label_arguments, label_values
from trust_seg_ros.commands.outcome import record
from trust_seg_ros.datasets.corruptions.names import CORRUPTIONS
from trust_seg_ros.errors import TrustSegError

if TYPE_CHECKING:
    import numpy as np

    from trust_seg_ros.datasets.corruptions.names import Corruption
    from trust_seg_ros.datasets.folders import LabelledFolder

EPILOG = """examples:
  trust-seg corrupt data/camvid --out sheet.png
  trust-seg corrupt street.jpg --out sheet.png --tile 400
  trust-seg corrupt data/camvid --split test --image Seq05VD_f02400 --corrupt-seed 3 --out sheet.png
  trust-seg corrupt data/camvid --split test --corrupt fog:4 --out data/camvid_fog4

With --out SHEET.png, one image with every corruption at every severity. With --corrupt and --out FOLDER, the whole
split as images/ and labels/ (PNG; class ids, 255 = none), for other programs. The commands of trust-seg that have
--corrupt do not need this: they corrupt images as they read them.
"""

_SHEETS = (".png", ".jpg", ".jpeg", ".webp")

STOPPED = "what is written stays: remove it, or choose another --out next time"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    dataset = parser.add_argument(
        "dataset", type=Path, metavar="DATASET", help="folder of a data set, or an image file"
    )
    given.expects(dataset, _given_dataset)
    out = parser.add_argument("--out", type=Path, required=True, help="picture or folder to write")
    given.expects(out, given.picture_or_folder)
    parser.add_argument("--split", default="test", help="part of the data set (default: %(default)s)")
    labels = parser.add_argument(
        "--labels",
        default="camvid11",
        help="label set of its label files, or of those written with --label-map (default: %(default)s)",
    )
    given.expects(labels, given.label_set)
    add_label_arguments(parser, judged=False)
    parser.add_argument("--image", metavar="NAME", help="image for the sheet (default: the one in the middle)")
    parser.add_argument(
        "--tile", type=int, default=240, metavar="PX", help="width of a picture on the sheet (default: %(default)s)"
    )
    add_corruption_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Write a sheet or a data set; returns the exit status."""
    wished = wished_corruptions(args)
    if args.out.suffix.lower() in _SHEETS:
        _write_sheet(args, [wished[0].kind] if wished else list(CORRUPTIONS))
    elif wished:
        _write_set(args, wished[0])
    else:
        raise TrustSegError(
            f"--out {args.out} is not a picture ({', '.join(_SHEETS)}); give one for a sheet, or choose the corruption "
            "of the data set in that folder, for example --corrupt fog:3"
        )
    return 0


def _given_dataset(name: str, value: Path, args: argparse.Namespace) -> None:
    if not value.expanduser().is_file():
        given.labelled(name, value, args)


def _write_sheet(args: argparse.Namespace, kinds: list[str]) -> None:
    from trust_seg_ros.evaluation.corruption_sheet import corruption_sheet

    if not 32 <= args.tile <= 2000:
        raise TrustSegError(f"--tile {args.tile}; expected a width from 32 to 2000 pixels")
    image, name = _chosen(args)
    sheet = corruption_sheet(image, name, kinds, seed=args.corrupt_seed, width=args.tile)
    _making(args.out.parent, lambda folder: folder.mkdir(parents=True, exist_ok=True))
    _write(args.out, sheet)
    record(args, out=args.out, image=name, images=1, corruptions=kinds)
    print(f"{name}, {len(kinds)} corruption{'s' * (len(kinds) > 1)} at five severities: {args.out}")


def _chosen(args: argparse.Namespace) -> tuple[np.ndarray, str]:
    """The image for the sheet, and its name."""
    from trust_seg_ros.datasets.folders import read_image

    if args.dataset.is_file():
        return read_image(args.dataset), args.dataset.stem
    samples = _folder(args).samples
    if args.image is None:
        sample = samples[len(samples) // 2]
    else:
        found = [sample for sample in samples if sample.name == unicodedata.normalize("NFC", args.image)]
        if not found:
            raise TrustSegError(
                f"--image {args.image}: no such image among the {len(samples)}; names look like {samples[0].name}"
            )
        sample = found[0]
    return read_image(sample.image), sample.name


def _write_set(args: argparse.Namespace, corruption: Corruption) -> None:
    from rich.console import Console
    from rich.progress import track

    from trust_seg_ros.datasets.corruptions.folder import corrupted

    if args.dataset.is_file():
        raise TrustSegError(f"{args.dataset} is one image; expected the folder of a data set, or --out SHEET.png")
    if args.out.exists() and (not args.out.is_dir() or any(args.out.iterdir())):
        raise TrustSegError(f"--out {args.out}: there is something already; expected a new or empty folder")
    folder = corrupted(_folder(args), corruption)
    for sample in track(folder.samples, str(corruption), console=Console(stderr=True)):
        image, labels = folder.read(sample)
        for part, pixels in (("images", image), ("labels", labels)):
            path = args.out / part / f"{sample.name}.png"
            _making(path.parent, lambda place: place.mkdir(parents=True, exist_ok=True))
            _write(path, pixels)
    record(args, out=args.out, image=None, images=len(folder), corruptions=[str(corruption)])
    print(f"{len(folder)} images with {corruption}, seed {corruption.seed}, and their labels: {args.out}")


def _folder(args: argparse.Namespace) -> LabelledFolder:
    from trust_seg_ros.datasets.layouts import has_splits, open_dataset
    from trust_seg_ros.segmentation.labels import load_labels

    split = args.split if has_splits(args.dataset.expanduser()) else None
    labels = load_labels(args.labels)
    return open_dataset(args.dataset, split, labels, *label_values(args, labels))


def _write(path: Path, pixels: np.ndarray) -> None:
    """Write (H, W, 3) RGB or (H, W) to a file, atomically."""
    import cv2

    values = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if pixels.ndim == 3 else pixels
    done, data = cv2.imencode(path.suffix, values)
    if not done:
        raise TrustSegError(f"{path}: pictures of this type cannot be written; use .png")
    part = path.with_name(path.name + ".part")

    def put(place: Path) -> None:
        place.write_bytes(data.tobytes())
        place.replace(path)

    _making(part, put)


def _making(path: Path, make: Callable[[Path], object]) -> None:
    try:
        make(path)
    except OSError as error:
        raise TrustSegError(f"{path} cannot be written ({error.strerror}); is the folder writable?") from error
