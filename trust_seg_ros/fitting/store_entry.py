"""What the manifest of a segment table says of one split."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from trust_seg_ros.fitting.store_files import Shapes
from trust_seg_ros.support.resumable import changes
from trust_seg_ros.types import Json


@dataclass(frozen=True)
class SplitEntry:
    """Manifest entry of one split.

    Attributes:
        data_set: name of the data set's folder.
        images: names of the images; their positions number them.
        drives: for each image, the recording it comes from.
        ignore: label values without a class, including 255.
        part_images: images per Parquet file.
        complete: every image is stored or skipped.
        skipped: name of an image -> why it is not in the table.
        segments, with_interior: number of rows, and of rows that meta models use.
        label_map: label value -> class, if a label map was used, see ``LabelMap.words``.
        hashes: name of a Parquet file -> its SHA-256; a table of version 1 has none.
        shapes: sizes of the images and their grids, each pair once; () = not known, in older tables.
        rate_hz: smallest and largest frame rate of the recordings; () = they were not followed.
    """

    data_set: str
    images: tuple[str, ...]
    drives: tuple[str, ...]
    ignore: tuple[int, ...]
    part_images: int
    complete: bool = False
    skipped: dict[str, str] = field(default_factory=dict)
    segments: int = 0
    with_interior: int = 0
    label_map: dict[str, str] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)
    shapes: tuple[Shapes, ...] = ()
    rate_hz: tuple[float, ...] = ()

    @classmethod
    def from_json(cls, data: Json) -> SplitEntry:
        """Read an entry from the manifest; raises KeyError, TypeError or ValueError."""
        lists = {name: tuple(data[name]) for name in ("images", "drives", "ignore")}
        counts = {name: int(data[name]) for name in ("part_images", "segments", "with_interior")}
        entry = cls(
            **{
                **data,
                **lists,
                **counts,
                "skipped": dict(data["skipped"]),
                "label_map": dict(data.get("label_map", {})),
                "shapes": tuple(((a[0], a[1]), (b[0], b[1])) for a, b in data.get("shapes", ())),
                "rate_hz": tuple(float(rate) for rate in data.get("rate_hz", ())),
                "hashes": {str(name): str(digest) for name, digest in data.get("hashes", {}).items()},
            }
        )
        if not isinstance(entry.complete, bool):
            raise ValueError(f"complete is {entry.complete!r}")
        if entry.part_images < 1 or len(entry.drives) != len(entry.images):
            raise ValueError(
                f"{entry.part_images} images per part, {len(entry.drives)} drives for {len(entry.images)} images"
            )
        return entry

    def to_json(self) -> Json:
        """Values for the manifest; label map, shapes and rates only if there are any, as in earlier versions."""
        data = {**asdict(self), "hashes": dict(sorted(self.hashes.items()))}
        return {name: value for name, value in data.items() if value or name not in ("label_map", "shapes", "rate_hz")}

    def other_data(self, now: SplitEntry) -> str:
        """The first difference to an entry of the same split, in words; "" if both are of the same data."""
        for what in ("images", "drives", "ignore", "rate_hz"):
            a, b = getattr(self, what), getattr(now, what)
            if a != b:
                return _first_change(a, b, what)
        found = changes(self.label_map, now.label_map)
        return ", ".join(f"label {key} was mapped to {a}, is to {b}" for key, a, b in found[:5])

    @property
    def parts(self) -> int:
        """Number of Parquet files."""
        return -(-len(self.images) // self.part_images)


def _first_change(then: tuple[object, ...], now: tuple[object, ...], what: str) -> str:
    """The first difference between two sequences, in words; ``what`` names their items."""
    if len(then) != len(now):
        return f"{len(then)} {what} then, {len(now)} now"
    k = next(k for k, (a, b) in enumerate(zip(then, now, strict=True)) if a != b)
    return f"of its {what}, number {k + 1} was {then[k]!r} and is {now[k]!r}"
