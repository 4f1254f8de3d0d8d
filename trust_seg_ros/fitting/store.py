"""The segment table on disk: a partitioned Parquet data set, one part per 64 images, and a manifest.

    meta.segments/
    ├── _manifest.json                    network, classes, metrics; per split: images, drives, skipped images
    ├── split=val/part-00000.parquet …    rows as in ``store_rows``
    └── .work/                            only while a split is being collected

pyarrow.dataset, pandas, polars, duckdb and Spark read the folder directly: ``split`` is a column, and names that start
with ``_`` or ``.`` are not data. ``collect`` writes it; this module reads complete tables only.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

import numpy as np

from trust_seg_ros.fitting.store_entry import SplitEntry
from trust_seg_ros.fitting.store_identity import NetworkIdentity
from trust_seg_ros.fitting.store_rows import TARGETS, column_names, metric_names
from trust_seg_ros.grid import FITTED, parsed_grid
from trust_seg_ros.meta.data import SegmentData
from trust_seg_ros.meta.errors import StoreError
from trust_seg_ros.meta.sizes import common_grid
from trust_seg_ros.segments.history.window import TimeWindow
from trust_seg_ros.support.content_hash import DamagedError, check_json, hash_once, with_hash
from trust_seg_ros.support.reading import lfs_pointer, reason, shown
from trust_seg_ros.support.resumable import write_text

__all__ = ["DRAFT", "MANIFEST", "WORK", "SegmentStore", "SplitEntry"]

FORMAT = "trust_seg_ros/segment-table"
VERSION = 2
WITHOUT_HASH = 1
MANIFEST = "_manifest.json"
DRAFT = f".{MANIFEST}.part"
WORK = ".work"


@dataclass(frozen=True)
class SegmentStore:
    """A segment table on disk.

    Attributes:
        path: its folder.
        identity: the network that predicted.
        entries: name of a split -> its manifest entry, including unfinished splits.
        package: version of this package that started it.

    Example:
        >>> data = SegmentStore.open("meta.segments").read("val")
    """

    path: Path
    identity: NetworkIdentity
    entries: dict[str, SplitEntry]
    package: str

    @classmethod
    def open(cls, path: str | Path) -> SegmentStore:
        """Read the manifest of a table.

        Raises:
            StoreError: no such folder, no table, or one of another version.
        """
        path = Path(path).expanduser()
        file = path / MANIFEST
        try:
            data = json.loads(file.read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            raise StoreError(f"{path}: no segment table (no {MANIFEST}); trust-seg fit DATASET writes one") from None
        except Exception as error:  # a damaged file may be anything
            raise StoreError(f"{file}: not readable ({lfs_pointer(file) or reason(error)})") from error
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise StoreError(f'{file}: not the manifest of a segment table (expected "format": "{FORMAT}")')
        if data.get("version") not in (WITHOUT_HASH, VERSION):
            raise StoreError(
                f"{file}: version {shown(data.get('version'))}, this program reads version {VERSION}; collect anew "
                "(--force)"
            )
        try:
            check_json(data, file, "collect anew (--force)", required=data["version"] != WITHOUT_HASH)
        except DamagedError as error:
            raise StoreError(str(error)) from error
        try:
            entries = {name: SplitEntry.from_json(entry) for name, entry in data["splits"].items()}
            store = cls(path, NetworkIdentity.from_json(data["network"]), entries, str(data["package"]))
            if tuple(data["metrics"]) != store.names:
                raise ValueError(
                    f"the metrics are not the ones that this program computes for {len(store.class_names)} "
                    "classes; collect anew (--force)"
                )
            return store
        except Exception as error:  # any entry may be missing or of any type
            raise StoreError(f"{file}: incomplete or damaged ({type(error).__name__}: {reason(error)})") from error

    def save_manifest(self) -> None:
        """Write the manifest, atomically."""
        data = {
            "format": FORMAT,
            "version": VERSION,
            "package": self.package,
            "network": self.identity.to_json(),
            "metrics": list(self.names),
            "splits": {name: self.entries[name].to_json() for name in sorted(self.entries)},
        }
        write_text(self.path / MANIFEST, json.dumps(with_hash(data), indent=1) + "\n", self.path / DRAFT)

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of complete splits, sorted."""
        return tuple(sorted(name for name, entry in self.entries.items() if entry.complete))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the metrics, in the order of the columns."""
        now = self.identity
        return column_names(metric_names(len(now.class_names), now.scores, now.segments_from), now.time)

    @property
    def network(self) -> str:
        """Portable name of the network."""
        return self.identity.name

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of its classes."""
        return self.identity.class_names

    def check_scores(self, scores: Sequence[str]) -> None:
        """Refuse pixel scores whose means the table does not hold.

        Raises:
            StoreError: the text names the missing scores, and the available ones.
        """
        if absent := [name for name in scores if name not in self.identity.scores]:
            there = ", ".join(self.identity.scores) or "none"
            raise StoreError(
                f"{self.path}: no metrics of the scores {', '.join(absent)} in this segment table; there are: {there}. "
                "Give DATASET and --force to collect them"
            )

    def check_grid(self, grid: str) -> None:
        """Refuse another grid than that of the table; ``fitted`` means whichever the table has.

        Raises:
            StoreError: the text names both.
        """
        if grid != FITTED and str(parsed_grid(grid)) != self.identity.grid:
            raise StoreError(
                f"{self.path}: the segments of this table are made on the grid {self.identity.grid}, wanted: {grid}. "
                "Give DATASET and --force to collect them anew"
            )

    def check_segments_from(self, segments_from: str) -> None:
        """Refuse other segments than those of the table; ``fitted`` means whichever the table has.

        Raises:
            StoreError: the text names both.
        """
        if segments_from not in (FITTED, self.identity.segments_from):
            raise StoreError(
                f"{self.path}: the segments of this table are {self.identity.segments_from}, wanted: {segments_from}. "
                "Give DATASET and --force to collect them anew"
            )

    def folder(self, split: str) -> Path:
        """Folder of a split's parts; characters not allowed in file names are written as %XX, as readers expect."""
        return self.path / f"split={quote(split, safe='')}"

    def parts(self, split: str) -> list[Path]:
        """Parquet files of a split, in order; they need not exist yet."""
        return [self.folder(split) / f"part-{k:05d}.parquet" for k in range(self.entry(split).parts)]

    def entry(self, split: str) -> SplitEntry:
        """The manifest entry of a split.

        Raises:
            StoreError: there is no such split.
        """
        if split not in self.entries:
            there = ", ".join(sorted(self.entries)) or "none"
            raise StoreError(f"{self.path}: no split {split!r} in this segment table; there are: {there}")
        return self.entries[split]

    def columns(self, split: str, names: Sequence[str], interior_only: bool = False) -> dict[str, np.ndarray]:
        """Some columns of a split; no others are read.

        Args:
            split: one of ``splits``.
            names: names of the columns, see ``store_rows``.
            interior_only: only segments with an interior.

        Returns:
            Name -> (n,), rows in order of images and segments.

        Raises:
            StoreError: no such split or column, an unfinished split, a missing or damaged part.
        """
        entry = self.entry(split)
        if not entry.complete:
            raise StoreError(f"{self.path}: split {split!r} is unfinished; run the same command again to finish it")
        import pyarrow as pa
        import pyarrow.dataset as ds

        self._check_hashes(split)
        try:
            data = ds.dataset([str(part) for part in self.parts(split)], format="parquet")
            unknown = [name for name in names if name not in data.schema.names]
            if unknown:
                raise StoreError(
                    f"{self.path}: no columns {', '.join(unknown)}; there are {', '.join(data.schema.names)}"
                )
            if (there := data.count_rows()) != entry.segments:
                raise StoreError(
                    f"{self.folder(split)}: {there} segments, but {MANIFEST} says {entry.segments}; one of the two is "
                    "damaged; collect anew (--force)"
                )
            rows = data.to_table(list(names), filter=ds.field("interior_size") > 0 if interior_only else None)
        except (pa.ArrowException, OSError) as error:
            raise StoreError(
                f"{self.folder(split)}: a part is missing or damaged ({error}); collect anew (--force)"
            ) from error
        return {name: rows[name].to_numpy() for name in names}

    def _check_hashes(self, split: str) -> None:
        """Refuse a split with a part that does not match its hash in the manifest."""
        hashes = self.entry(split).hashes
        for part in self.parts(split):
            try:
                changed = part.name in hashes and hash_once(part, part.stat().st_mtime_ns) != hashes[part.name]
            except OSError:  # reading it gives the error message
                continue
            if changed:
                raise StoreError(
                    f"{self.folder(split)}: a part is missing or damaged ({part.name} does not match its sha256 in "
                    f"{MANIFEST}); collect anew (--force)"
                )

    def read(
        self, split: str, names: Sequence[str] | None = None, interior_only: bool = True, variant: str = "component"
    ) -> SegmentData:
        """Segments of a split with their metrics and targets.

        Args:
            split: one of ``splits``.
            names: names of the metrics; None = all.
            interior_only: only segments with an interior, as needed for fitting and judging.
            variant: variant of the adjusted IoU: ``component`` (the paper) or ``released`` (the authors' code).

        Raises:
            StoreError: as :meth:`columns`, or an unknown variant.
        """
        if variant not in TARGETS:
            raise StoreError(f"no variant {variant!r} of the adjusted IoU; expected {' or '.join(TARGETS)}")
        names = self.names if names is None else tuple(names)
        fixed = ("iou", TARGETS[variant], "class_id", "image_index")
        columns = self.columns(split, (*fixed, *names), interior_only)
        metrics = np.empty((len(columns["iou"]), len(names)))
        for k, name in enumerate(names):
            metrics[:, k] = columns[name]
        iou, iou_adj, class_ids, image = (np.array(columns[name]) for name in fixed)
        entry = self.entry(split)
        return SegmentData(
            names,
            metrics,
            iou,
            iou_adj,
            class_ids,
            image,
            entry.images,
            entry.drives,
            self.network,
            self.class_names,
            self.identity.sha256,
            common_grid(parsed_grid(self.identity.grid), [grid for _, grid in entry.shapes]),
            tuple(dict.fromkeys(image_size for image_size, _ in entry.shapes)),
            self.identity.segments_from,
            self._window(entry),
        )

    def _window(self, entry: SplitEntry) -> TimeWindow | None:
        time, rates = self.identity.time, entry.rate_hz or (0.0, 0.0)
        return None if time is None else replace(time, rate_hz=(rates[0], rates[1]))
