"""``trust-seg synthetic``: write the synthetic drive as images, labels and a contact sheet."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from trust_seg_ros.commands import given_paths as given
from trust_seg_ros.commands.options import image_size
from trust_seg_ros.commands.outcome import record
from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.synthetic.looks import LOOKS
from trust_seg_ros.synthetic.running import RunningNumbers
from trust_seg_ros.synthetic.settings import UNKNOWN_KINDS, WEATHERS, DriveFrame

EPILOG = """examples:
  trust-seg synthetic --out drive --frames 100
  trust-seg synthetic --out drive --size 960x540 --seed 7 --every 10
  trust-seg synthetic --out tracks --frames 200 --fps 10 --objects
  trust-seg synthetic --out ood --scenes --frames 400 --seed 10000 --unknowns deer,cow,box --unknown-rate 4
  trust-seg synthetic --out known --scenes --frames 400 --unknowns none --size 480x360

Writes images/, labels/ (class ids, 255 = none), unknown/ (number of the unknown object, 0 = none) and sheet.png.
With --objects also objects/, 16-bit PNG: the number of the object, the same in every frame, 0 = none; objects.csv has
kind and class of each.
With --scenes, unknown/ holds 1 for any unknown object, and the pictures are the same that trust-seg finetune draws for
synthetic:seeds=FIRST-LAST with the same kinds, rate and size.
"""

_SHEET = 12
_FPS = 20.0

STOPPED = "frames that are written stay, the same command writes all anew"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the subcommand."""
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    out = parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    given.expects(out, given.new_folder)
    parser.add_argument("--frames", type=int, default=60, help="how many frames (default: %(default)s)")
    parser.add_argument(
        "--every", type=int, default=1, help="write every N-th frame of the drive (default: %(default)s)"
    )
    parser.add_argument("--fps", type=float, default=_FPS, help="frames per second of the drive (default: %(default)g)")
    parser.add_argument("--size", type=image_size, default=(384, 640), metavar="WxH", help="size (default: 640x384)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the drive (default: %(default)s)")
    parser.add_argument(
        "--scenes", action="store_true", help="separate scenes instead of one drive; frame i has seed SEED + i"
    )
    parser.add_argument(
        "--unknowns",
        type=unknown_kinds,
        default=UNKNOWN_KINDS,
        metavar="KIND,KIND",
        help=f"kinds of unknown objects, or all, or none (default: all); there are: {', '.join(UNKNOWN_KINDS)}",
    )
    parser.add_argument(
        "--unknown-rate",
        type=float,
        default=1.5,
        metavar="N",
        help="expected number of unknown objects between 4 and 50 m ahead (default: %(default)s)",
    )
    parser.add_argument(
        "--objects", action="store_true", help="write which object each pixel belongs to, by numbers that last"
    )
    parser.add_argument("--weather", help=f"{', '.join(WEATHERS)} (default: drawn from the seed)")
    parser.add_argument(
        "--look",
        choices=LOOKS,
        default="own",
        help="paint and cameras of --scenes: the drive's own, painted over as in trust-seg train --scenes-only, or by "
        "patterns unseen there (default: %(default)s)",
    )


def unknown_kinds(text: str) -> tuple[str, ...]:
    """``deer,cow``, ``all`` or ``none`` as kinds of unknown objects."""
    if text in ("all", "none"):
        return UNKNOWN_KINDS if text == "all" else ()
    kinds = tuple(filter(None, text.split(",")))
    foreign = [kind for kind in kinds if kind not in UNKNOWN_KINDS]
    if foreign or not kinds:
        raise argparse.ArgumentTypeError(
            f"{', '.join(foreign) or 'nothing'} is not a kind of unknown object; there are: {', '.join(UNKNOWN_KINDS)}"
        )
    return kinds


def run(args: argparse.Namespace) -> int:
    """Write the drive; returns the exit status."""
    if args.frames < 1 or args.every < 1:
        raise TrustSegError(f"--frames {args.frames} --every {args.every}: expected 1 or more of each")
    if args.scenes and args.every > 1:
        raise TrustSegError(f"--every {args.every}: --scenes has no drive to take every N-th frame of; leave it out")
    if args.scenes and args.fps != _FPS:
        raise TrustSegError(f"--fps {args.fps:g}: separate scenes have no rate; leave out --scenes or --fps")
    if args.scenes and args.objects:
        raise TrustSegError("--objects: separate scenes share no objects; leave out --scenes or --objects")
    if args.look != "own" and not args.scenes:
        raise TrustSegError(f"--look {args.look}: only separate scenes are painted over; add --scenes")
    folders = {name: args.out / name for name in ("images", "labels", "unknown")}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    shown = set(np.linspace(0, args.frames - 1, min(_SHEET, args.frames)).round().astype(int).tolist())
    tiles = []
    for number, (name, image, labels, unknown) in enumerate(_scenes(args) if args.scenes else _drive(args)):
        _write(folders["images"] / name, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        _write(folders["labels"] / name, labels)
        _write(folders["unknown"] / name, unknown)
        if number in shown:
            tiles.append(_tile(image, labels, unknown))
    _write(args.out / "sheet.png", cv2.cvtColor(_sheet(tiles), cv2.COLOR_RGB2BGR))
    record(args, out=args.out, frames=args.frames, sheet=args.out / "sheet.png")
    print(f"{args.frames} frames in {args.out}, an overview in {args.out / 'sheet.png'}")
    return 0


_Picture = tuple[str, np.ndarray, np.ndarray, np.ndarray]
"""File name, image, labels and unknown objects of a frame."""


class _Objects:
    """Writes the objects of a drive, numbered from 1 as they first appear."""

    def __init__(self, out: Path) -> None:
        self.out, self.numbers = out, RunningNumbers()
        (out / "objects").mkdir(parents=True, exist_ok=True)

    def write(self, name: str, frame: DriveFrame) -> None:
        found, count = self.numbers.map(frame), len(self.numbers.objects)
        if count > np.iinfo(np.uint16).max:
            raise TrustSegError(f"{name}: {count} objects; 16 bits hold 65535, so write fewer --frames")
        _write(self.out / "objects" / name, found.astype(np.uint16))

    def finish(self) -> None:
        rows = [f"{number},{one.kind},{one.class_id}" for number, one in enumerate(self.numbers.objects, 1)]
        text = "\n".join(["number,kind,class_id", *rows]) + "\n"
        (self.out / "objects.csv").write_text(text, encoding="utf-8")


def _drive(args: argparse.Namespace) -> Iterator[_Picture]:
    from trust_seg_ros.synthetic import DriveSettings, SyntheticDrive

    settings = DriveSettings(
        size=args.size,
        seed=args.seed,
        weather=args.weather,
        unknowns=args.unknowns,
        unknown_rate=args.unknown_rate,
        fps=args.fps,
        objects=args.objects,
    )
    drive, objects = SyntheticDrive(settings), _Objects(args.out) if args.objects else None
    for index in range(0, args.frames * args.every, args.every):
        frame, name = drive.frame(index), f"seed{args.seed}_{index:06d}.png"
        if objects is not None:
            objects.write(name, frame)
        yield name, frame.image, frame.labels, frame.unknown
    if objects is not None:
        objects.finish()


def _scenes(args: argparse.Namespace) -> Iterator[_Picture]:
    from trust_seg_ros.synthetic import SyntheticSet
    from trust_seg_ros.types import UNLABELLED

    last = args.seed + args.frames - 1
    scenes = SyntheticSet(args.seed, last, args.unknowns, args.unknown_rate, args.size, args.weather, args.look)
    for number in range(len(scenes)):
        image, labels = scenes.read(number)
        yield f"scene{args.seed + number:06d}.png", image, labels, (labels == UNLABELLED).astype(np.uint8)


def _tile(image: np.ndarray, labels: np.ndarray, unknown: np.ndarray) -> np.ndarray:
    from trust_seg_ros.drawing.pictures import label_picture, mark
    from trust_seg_ros.segmentation.labels import load_labels

    mask = label_picture(np.ascontiguousarray(labels, np.uint8), load_labels("camvid11").palette)
    mark(mask, np.ascontiguousarray(unknown) > 0)
    both = np.hstack([image, mask])
    return cv2.resize(both, (640, max(1, round(640 * both.shape[0] / both.shape[1]))), interpolation=cv2.INTER_AREA)


def _sheet(tiles: list[np.ndarray]) -> np.ndarray:
    columns = 2 if len(tiles) > 1 else 1
    tiles = tiles + [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    return np.vstack([np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)])


def _write(path: Path, image: np.ndarray) -> None:
    if not cv2.imwrite(str(path), image):
        raise TrustSegError(f"{path} cannot be written; is the folder writable?")
