"""Mutates valid inputs and reports exceptions that are not ours: ``python tools/fuzz.py [TARGET ...] --count 20000``.

A target is a row of :data:`TARGETS`: valid inputs, a function, and the exceptions that it may raise. Mutations are
those of damaged storage and of hand-made files: bits flipped, bytes set, blocks zeroed, removed, repeated, swapped,
numbers replaced by extreme ones, the end cut. The same seed gives the same inputs.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from fuzz_bags import BAGS

from trust_seg_ros.errors import TrustSegError

EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
MAX_PIXELS = 1 << 20
Mutation = Callable[[bytearray, np.random.Generator], None]


@dataclass(frozen=True)
class Target:
    """What is fuzzed.

    Attributes:
        seeds: makes valid inputs, each with a name.
        run: takes one input.
        allowed: exceptions that it may raise.
    """

    seeds: Callable[[], dict[str, bytes]]
    run: Callable[[bytes], object]
    allowed: tuple[type[BaseException], ...] = (TrustSegError,)


@dataclass
class Outcome:
    """What happened to one target.

    Attributes:
        accepted, refused: number of inputs.
        foreign: type and place of an exception that is not allowed -> how often.
        first: the same -> the first input that led there.
        slowest_s: the longest run.
    """

    accepted: int
    refused: int
    foreign: Counter[str]
    first: dict[str, bytes]
    slowest_s: float


def _span(data: bytearray, rng: np.random.Generator) -> tuple[int, int]:
    """A part of the data; short ones are as likely as long ones."""
    length = min(len(data), int(2 ** rng.uniform(0, 12)))
    start = int(rng.integers(len(data) - length + 1))
    return start, start + length


def _flip(data: bytearray, rng: np.random.Generator) -> None:
    data[rng.integers(len(data))] ^= 1 << int(rng.integers(8))


def _set(data: bytearray, rng: np.random.Generator) -> None:
    data[rng.integers(len(data))] = int(rng.integers(256))


def _zero(data: bytearray, rng: np.random.Generator) -> None:
    start, stop = _span(data, rng)
    data[start:stop] = bytes(stop - start)


def _noise(data: bytearray, rng: np.random.Generator) -> None:
    start, stop = _span(data, rng)
    data[start:stop] = rng.integers(0, 256, stop - start, np.uint8).tobytes()


def _remove(data: bytearray, rng: np.random.Generator) -> None:
    start, stop = _span(data, rng)
    del data[start:stop]


def _repeat(data: bytearray, rng: np.random.Generator) -> None:
    start, stop = _span(data, rng)
    data[stop:stop] = data[start:stop]


def _swap(data: bytearray, rng: np.random.Generator) -> None:
    (a, b), (c, d) = sorted((_span(data, rng), _span(data, rng)))
    if b <= c:
        data[a:d] = data[c:d] + data[b:c] + data[a:b]


def _cut(data: bytearray, rng: np.random.Generator) -> None:
    del data[int(rng.integers(len(data))) :]


def _number(data: bytearray, rng: np.random.Generator) -> None:
    """An extreme number of 1, 2, 4 or 8 bytes, in either order; often near the front, where headers are."""
    size, order = int(rng.choice([1, 2, 4, 8])), "little" if rng.random() < 0.5 else "big"
    value = int(rng.choice(EXTREMES)) % (1 << 8 * size)
    reach = min(len(data), 128) if rng.random() < 0.6 else len(data)
    at = int(rng.integers(reach))
    data[at : at + size] = value.to_bytes(size, order)  # type: ignore[arg-type]


MUTATIONS: tuple[Mutation, ...] = (_flip, _set, _zero, _noise, _remove, _repeat, _swap, _cut, _number, _number)


def mutations(seeds: dict[str, bytes], count: int, seed: int = 0) -> Iterator[bytes]:
    """``count`` inputs, each one of the seeds with one to four mutations."""
    rng, originals = np.random.default_rng(seed), list(seeds.values())
    for _ in range(count):
        data = bytearray(originals[rng.integers(len(originals))])
        for _ in range(int(rng.integers(1, 5))):
            if data:
                MUTATIONS[rng.integers(len(MUTATIONS))](data, rng)
        yield bytes(data)


def fuzz(target: Target, count: int, seed: int = 0) -> Outcome:
    """Run a target on mutated inputs; its valid inputs must be accepted."""
    seeds = target.seeds()
    for data in seeds.values():
        target.run(data)
    outcome = Outcome(0, 0, Counter(), {}, 0.0)
    for data in mutations(seeds, count, seed):
        started = time.perf_counter()
        try:
            target.run(data)
        except target.allowed:
            outcome.refused += 1
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            what = f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}: {str(error)[:100]}"
            outcome.foreign[what] += 1
            outcome.first.setdefault(what, data)
        else:
            outcome.accepted += 1
        outcome.slowest_s = max(outcome.slowest_s, time.perf_counter() - started)
    return outcome


def _picture() -> np.ndarray:
    """(36, 48, 3) uint8."""
    rows, columns = np.mgrid[:36, :48]
    noise = np.random.default_rng(0).integers(0, 20, (36, 48, 3))
    return (np.stack([rows * 6, columns * 4, rows + columns], 2) + noise).astype(np.uint8)


def _files() -> dict[str, bytes]:
    """Encoded images of every kind."""
    import cv2

    rgb = _picture()
    wide = rgb.astype(np.uint16) << 4
    alpha = np.dstack([rgb, rgb[..., 0]])
    plans: tuple[tuple[str, str, np.ndarray, list[int]], ...] = (
        ("jpeg", ".jpg", rgb, []),
        ("jpeg 4:4:4", ".jpg", rgb, [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x111111]),
        ("jpeg progressive", ".jpg", rgb, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]),
        ("jpeg with restarts", ".jpg", rgb, [cv2.IMWRITE_JPEG_RST_INTERVAL, 2]),
        ("jpeg grey", ".jpg", rgb[..., 0], []),
        ("png", ".png", rgb, []),
        ("png alpha", ".png", alpha, []),
        ("png 16", ".png", wide, []),
        ("png grey 16", ".png", wide[..., 0], []),
        ("tiff", ".tif", rgb, []),
        ("tiff raw", ".tif", rgb, [cv2.IMWRITE_TIFF_COMPRESSION, 1]),
        ("tiff 16", ".tif", wide, []),
        ("tiff grey 16", ".tif", wide[..., 0], []),
        ("webp", ".webp", rgb, [cv2.IMWRITE_WEBP_QUALITY, 80]),
        ("webp lossless", ".webp", alpha, [cv2.IMWRITE_WEBP_QUALITY, 101]),
        ("bmp", ".bmp", rgb, []),
    )
    return {
        name: cv2.imencode(suffix, np.ascontiguousarray(image), options)[1].tobytes()
        for name, suffix, image, options in plans
    }


def _files_of(kind: str) -> Callable[[], dict[str, bytes]]:
    return lambda: {name: data for name, data in _files().items() if name.startswith(kind)}


def _raw_messages() -> dict[str, bytes]:
    """sensor_msgs/Image in every encoding."""
    from trust_seg_ros.messages.encodings import ENCODINGS
    from trust_seg_ros.messages.fields import HeaderFields, ImageFields
    from trust_seg_ros.recordings.replay.serialise import image_cdr

    rng, found = np.random.default_rng(0), {}
    for name, encoding in ENCODINGS.items():
        rows = rng.integers(0, 256, (int(8 * encoding.rows), 10 * encoding.pixel_bytes), np.uint8)
        data = bytes(image_cdr(ImageFields(name, rows), HeaderFields(5, 6, "camera")))
        at = data.index(int(rows.shape[0]).to_bytes(4, sys.byteorder), 16)  # height and width in pixels, not in bytes
        size = (8).to_bytes(4, sys.byteorder) + (10).to_bytes(4, sys.byteorder)
        found[name] = data[:at] + size + data[at + 8 :]
    return found


def _compressed_messages() -> dict[str, bytes]:
    """sensor_msgs/CompressedImage with every kind of file and meaning."""
    from trust_seg_ros.messages.fields import HeaderFields
    from trust_seg_ros.recordings.replay.serialise import compressed_cdr

    forms = ("jpeg", "rgb8; jpeg compressed bgr8", "bgr8; png compressed rgb8", "bayer_rggb8; png compressed ", "")
    return {
        f"{name}, {form}": bytes(compressed_cdr(data, form, HeaderFields(5, 6, "camera")))
        for name, data in _files().items()
        for form in forms
    }


def _decode(data: bytes) -> object:
    from trust_seg_ros.support.encoded_image import decode

    return decode(data, MAX_PIXELS)


def _message(kind: str) -> Callable[[bytes], object]:
    def run(data: bytes) -> object:
        from trust_seg_ros.messages.bit_range import BitRange
        from trust_seg_ros.messages.image_bytes import read_compressed, read_image
        from trust_seg_ros.messages.image_pixels import frame_of

        message = read_compressed(data) if kind == "compressed" else read_image(data)
        return frame_of(message, MAX_PIXELS, BitRange())

    return run


TARGETS: dict[str, Target] = {
    "image message": Target(_raw_messages, _message("raw")),
    "compressed message": Target(_compressed_messages, _message("compressed")),
    "jpeg": Target(_files_of("jpeg"), _decode),
    "png": Target(_files_of("png"), _decode),
    "tiff": Target(_files_of("tiff"), _decode),
    "webp": Target(_files_of("webp"), _decode),
    "bmp": Target(_files_of("bmp"), _decode),
    **{name: Target(seeds, read) for name, (seeds, read) in BAGS.items()},
}
"""One row per decoder; others add theirs here."""


def main() -> int:
    """Fuzz the targets named, or all; 1 if an exception was not ours."""
    from fuzz_models import MODELS  # of this folder, which is on the path of a script only
    from fuzz_settings import SETTINGS

    TARGETS.update({name: Target(*parts) for name, parts in (*MODELS.items(), *SETTINGS.items())})
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)} (default: all)")
    parser.add_argument("--count", type=int, default=20_000, help="inputs per target")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for the first input of each foreign exception")
    args = parser.parse_args()
    unknown = [name for name in args.targets if name not in TARGETS]
    if unknown:
        parser.error(f"there is no target {unknown[0]!r}; there are: {', '.join(TARGETS)}")
    foreign = 0
    for name in args.targets or TARGETS:
        outcome = fuzz(TARGETS[name], args.count, args.seed)
        foreign += len(outcome.foreign)
        print(
            f"{name}: {outcome.accepted} accepted, {outcome.refused} refused, "
            f"{outcome.foreign.total()} foreign exceptions, slowest {outcome.slowest_s:.3f} s",
            flush=True,
        )
        for number, (what, count) in enumerate(outcome.foreign.most_common()):
            print(f"  {count} x {what}")
            if args.keep is not None:
                args.keep.mkdir(parents=True, exist_ok=True)
                (args.keep / f"{name.replace(' ', '_')}_{number}").write_bytes(outcome.first[what])
    return 1 if foreign else 0


if __name__ == "__main__":
    sys.exit(main())
