"""How much damage to image files is noticed, and how fast they are decoded: ``python benchmarks/damaged_images.py``.

Real photographs (../shared/data, or folders given) are damaged inside: one block of 1,400 bytes zeroed, overwritten,
swapped with another, or the file cut there. Decoding is timed against OpenCV alone, image by image, in turns.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from trust_seg_ros.support.encoded_image import EncodedImageError, decode
from trust_seg_ros.support.image_headers import read_header

BLOCK = 1400
ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
SOURCES = (("camvid/test/images", 2), ("street_photos/images/val", 1), ("roadanomaly_open/images", 1))
PAGE, MARKS = ROOT / "docs" / "images.md", ("<!-- damaged -->\n", "<!-- end damaged -->")
Damage = Callable[[bytearray, int, np.random.Generator], bytes]


def zeroed(data: bytearray, at: int, _: np.random.Generator) -> bytes:
    """Zeros, as where a page of a disk or a packet is missing."""
    data[at : at + BLOCK] = bytes(BLOCK)
    return bytes(data)


def overwritten(data: bytearray, at: int, rng: np.random.Generator) -> bytes:
    """Random bytes."""
    data[at : at + BLOCK] = rng.integers(0, 256, BLOCK, np.uint8).tobytes()
    return bytes(data)


def swapped(data: bytearray, at: int, rng: np.random.Generator) -> bytes:
    """The block and another one, as where packets arrive in the wrong order."""
    places = [at - k for k in range(BLOCK, at - _start(bytes(data)), 7)]
    places += list(range(at + BLOCK, len(data) - BLOCK - 2, 7))
    other = int(rng.choice(places))
    data[at : at + BLOCK], data[other : other + BLOCK] = data[other : other + BLOCK], data[at : at + BLOCK]
    return bytes(data)


def cut(data: bytearray, at: int, _: np.random.Generator) -> bytes:
    """Nothing follows."""
    return bytes(data[:at])


def cut_and_ended(data: bytearray, at: int, _: np.random.Generator) -> bytes:
    """An end marker follows."""
    return bytes(data[:at]) + b"\xff\xd9"


def cut_and_padded(data: bytearray, at: int, _: np.random.Generator) -> bytes:
    """Zeros follow."""
    return bytes(data[:at]) + bytes(len(data) - at)


def one_bit(data: bytearray, at: int, rng: np.random.Generator) -> bytes:
    """One bit flipped."""
    data[at] ^= 1 << int(rng.integers(8))
    return bytes(data)


KINDS: dict[str, Damage] = {
    "a block zeroed": zeroed,
    "a block overwritten with random bytes": overwritten,
    "cut": cut,
    "cut, with an end marker": cut_and_ended,
    "cut, padded with zeros": cut_and_padded,
    "two blocks swapped": swapped,
    "one bit flipped": one_bit,
}


def _start(data: bytes) -> int:
    """Where the pixels begin: behind the header of the last scan, or of the file."""
    scan = data.rfind(b"\xff\xda")
    return scan + 14 if data.startswith(b"\xff\xd8") and scan > 0 else 100


def judged(files: list[bytes], damage: Damage) -> tuple[int, list[float]]:
    """Number of refused files, and the shares of pixels that differ in the accepted ones."""
    rng, refused, differing = np.random.default_rng(5), 0, []
    for data in files:
        at = int(rng.integers(_start(data), len(data) - BLOCK - 2))
        try:
            found, whole = decode(damage(bytearray(data), at, rng)), decode(data)
        except EncodedImageError:
            refused += 1
            continue
        differs = np.atleast_3d(found != whole).any(2) if found.shape == whole.shape else np.ones(1)
        differing.append(float(differs.mean()))
    return refused, differing


def rows(files: list[bytes]) -> list[tuple[str, str, str]]:
    """Damage, share refused, what is accepted."""
    result = []
    for name, damage in KINDS.items():
        refused, differing = judged(files, damage)
        accepted = f"{100 * statistics.median(differing):.2g} %" if differing else "–"
        result.append((name, f"{refused} of {len(files)}", accepted))
    return result


def by_opencv(data: bytes) -> np.ndarray:
    """As the package decoded before."""
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | 128), cv2.COLOR_BGR2RGB)


def by_opencv_rgb(data: bytes) -> np.ndarray:
    """As the node decoded before: straight to RGB, where OpenCV can."""
    return cv2.imdecode(np.frombuffer(data, np.uint8), getattr(cv2, "IMREAD_COLOR_RGB", 1) | 128)


def ratio(files: list[bytes], old: Callable[[bytes], np.ndarray], repeats: int) -> tuple[float, float, int]:
    """Median ratio of times new / old, median milliseconds of new, and the largest difference of a value."""
    ratios, new_ms, apart = [], [], 0
    for turn in range(repeats):
        for index, data in enumerate(files):
            order = (decode, old) if (index + turn) % 2 else (old, decode)
            seconds = {}
            for function in order:
                started = time.perf_counter()
                result = function(data)
                seconds[function] = time.perf_counter() - started
                if turn == 0 and function is old:
                    apart = max(apart, int(np.abs(result.astype(int) - np.atleast_3d(decode(data))).max()))
            ratios.append(seconds[decode] / seconds[old])
            new_ms.append(1e3 * seconds[decode])
    return statistics.median(ratios), statistics.median(new_ms), apart


def read(folders: list[Path]) -> dict[str, list[bytes]]:
    """Folder -> its JPEGs."""
    chosen = [(folder, 1) for folder in folders] or [(DATA / name, step) for name, step in SOURCES]
    found = {}
    for folder, step in chosen:
        paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg"))[::step][:120]
        found[folder.relative_to(DATA).as_posix() if folder.is_relative_to(DATA) else str(folder)] = [
            p.read_bytes() for p in paths
        ]
    return found


def main() -> None:
    """Print the tables, and write the first into the documentation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path, help="folders of JPEGs (default: the real data)")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--write", action="store_true", help=f"write the table into {PAGE.name}")
    args = parser.parse_args()
    console, groups = Console(), read(args.folders)
    files = [data for group in groups.values() for data in group]
    found = rows(files)
    table = Table("damage", "refused", "pixels that differ, where accepted (median)")
    for row in found:
        table.add_row(*row)
    console.print(table)
    speed = Table("images", "kind", "against", "time new / old", "ms", "largest difference")
    for name, group in groups.items():
        pngs = [cv2.imencode(".png", by_opencv(data)[..., ::-1])[1].tobytes() for data in group[:30]]
        for kind, some in (("JPEG", group), ("PNG", pngs)):
            for what, old in (("OpenCV, BGR to RGB", by_opencv), ("OpenCV, RGB", by_opencv_rgb)):
                times, ms, apart = ratio(some, old, args.repeats)
                header = read_header(some[0])
                speed.add_row(
                    f"{name}, {header.width} × {header.height}", kind, what, f"{times:.2f}", f"{ms:.2f}", str(apart)
                )
    console.print(speed)
    if args.write:
        head, _, rest = PAGE.read_text("utf-8").partition(MARKS[0])
        lines = ["| damage | refused | pixels that differ, where accepted (median) |", "|---|---|---|"]
        lines += [f"| {' | '.join(row)} |" for row in found]
        tail = rest[rest.index(MARKS[1]) :]
        PAGE.write_text(head + MARKS[0] + "\n".join(lines) + "\n" + tail, "utf-8")


if __name__ == "__main__":
    main()
