"""Writes a segment table image by image, so that a killed run loses only the images in progress.

Each image's rows are first written to a separate file in ``.work/``; when all 64 of a part exist, they are joined into
its Parquet file and removed. A file gets its final name (rename) only when it is complete. So at any time the disk
holds the start of the table, and it does not depend on how many runs and workers wrote it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from trust_seg_ros.datasets.folders import LabelledFolder
from trust_seg_ros.fitting.store import MANIFEST, WORK, SegmentStore, SplitEntry
from trust_seg_ros.fitting.store_files import DAMAGE, file_sizes, read_or_remove, rows_by_image, rows_note, shapes_of
from trust_seg_ros.fitting.store_folder import WAY_OUT, open_or_begin, refuse_links, remove_parts
from trust_seg_ros.fitting.store_identity import NetworkIdentity
from trust_seg_ros.fitting.store_rows import (
    image_note,
    part_note,
    read_image,
    remove_quietly,
    row_schema,
    write_image,
    write_part,
)
from trust_seg_ros.meta.errors import StoreError
from trust_seg_ros.support.content_hash import hash_of_file
from trust_seg_ros.support.resumable import remove_folder
from trust_seg_ros.types import UNLABELLED, Json

PART_IMAGES = 64


class SplitWriter:
    """Writes one split of a table. Use inside :func:`locked`.

    Attributes:
        store: the table.
        todo: positions of the images that are neither stored nor skipped yet, ascending.
        skipped: name -> reason, of every image left out so far.
    """

    def __init__(
        self,
        path: Path,
        identity: NetworkIdentity,
        folder: LabelledFolder,
        split: str,
        data_set: str = "",
        part_images: int = PART_IMAGES,
        rate_hz: tuple[float, ...] = (),
    ) -> None:
        """Start a split, or continue it.

        Args:
            path: folder of the table.
            identity: the network.
            folder: images and labels of the split.
            split: name of the split.
            data_set: name of the data set.
            part_images: images per Parquet file of a new split.
            rate_hz: smallest and largest frame rate of the recordings; () = they are not followed.

        Raises:
            StoreError: the folder holds something else, or a table of another network or other data.
        """
        self._folder, self._split = folder, split
        self.store = open_or_begin(path, identity)
        self._entry = self._entry_of(data_set, part_images, rate_hz)
        self._work = path / WORK / quote(split, safe="")
        refuse_links(path / WORK, self._work, self.store.folder(split))
        self._work.mkdir(parents=True, exist_ok=True)
        self._schema = row_schema(self.store.names)
        self._notes: dict[int, Json] = {}  # notes of finished parts
        self._bad: dict[int, str] = {}  # skipped images of unfinished parts
        self._done: set[int] = set()
        self._find_done()
        self._check_files()
        self.todo = [k for k in range(len(folder)) if k not in self._done]
        if self.todo and self._entry.complete:
            self._save(replace(self._entry, complete=False))
        for part in range(self._entry.parts):  # a run may have died between the last image of a part and the part
            self._join_if_whole(part)

    @property
    def skipped(self) -> dict[str, str]:
        """Name -> reason of every image left out so far, in order of the images."""
        names = self._entry.images
        unfinished = {names[k]: reason for k, reason in sorted(self._bad.items())}
        return {**{n: r for part in sorted(self._notes) for n, r in self._notes[part]["skipped"].items()}, **unfinished}

    def image_file(self, index: int) -> Path:
        """File for the rows of an image (``store_rows.write_image``)."""
        return self._work / f"{index:06d}.arrow"

    def done(self, index: int) -> None:
        """Record that the rows of an image are written."""
        self._done.add(index)
        self._join_if_whole(index // self._entry.part_images)

    def skip(self, index: int, reason: str) -> None:
        """Record that an image cannot be read and is left out."""
        self._bad[index] = reason
        self.done(index)

    def left_out(self) -> dict[int, str]:
        """Position -> reason of every image that an earlier run left out; "" if its files have changed since."""
        found = {}
        for part, note in sorted(self._notes.items()):
            for place, index in enumerate(self._images_of(part)):
                sample = self._folder.samples[index]
                if sample.name in note["skipped"]:
                    same = list(note["files"][place]) == file_sizes(sample)
                    found[index] = note["skipped"][sample.name] if same else ""
        return found

    def reopen(self, indices: Iterable[int]) -> None:
        """Put images of ``left_out`` back into ``todo``, with all others left out of the same parts.

        Raises:
            StoreError: a part is damaged.
        """
        parts = {index // self._entry.part_images for index in indices}
        again = {index for index in self.left_out() if index // self._entry.part_images in parts}
        if again and self._entry.complete:
            self._save(replace(self._entry, complete=False))
        for part in sorted(parts):
            self._divide(part, again)
        self._done -= again
        self.todo = sorted({*self.todo, *again})

    def stored_rows(self) -> tuple[int, pa.Table] | None:
        """Position and rows of the first stored image that has rows; None if there is none.

        Raises:
            StoreError: a part is damaged.
        """
        try:
            return self._first_rows()
        except DAMAGE as error:
            raise StoreError(f"{self.store.folder(self._split)}: a part is damaged ({error}); {WAY_OUT}") from error

    def _first_rows(self) -> tuple[int, pa.Table] | None:
        for part in range(self._entry.parts):
            if part in self._notes:
                with pq.ParquetFile(self.store.parts(self._split)[part]) as file:
                    if file.metadata.num_rows:
                        rows = file.read_row_group(0)  # an image is never split
                        first = rows["image_index"][0].as_py()
                        return first, rows.filter(pc.equal(rows["image_index"], first))
        for index in sorted(self._done - self._bad.keys()):
            if self.image_file(index).is_file() and len(rows := read_image(self.image_file(index))):
                return index, rows
        return None

    def finish(self) -> SegmentStore:
        """Mark the split as complete in the manifest.

        Raises:
            StoreError: it is not complete.
        """
        if len(self._notes) < self._entry.parts:
            raise StoreError(f"split {self._split!r}: {len(self._notes)} of {self._entry.parts} parts are written")
        notes = [self._notes[part] for part in sorted(self._notes)]
        counts = {key: sum(note[key] for note in notes) for key in ("segments", "with_interior")}
        shapes = {shape for note in notes for shape in shapes_of(note) if shape is not None}
        self._save(replace(self._entry, complete=True, skipped=self.skipped, shapes=tuple(sorted(shapes)), **counts))
        remove_folder(self._work)
        remove_quietly(self._work.parent)
        return self.store

    def drop(self) -> None:
        """Remove the split from the table."""
        rest = {name: entry for name, entry in self.store.entries.items() if name != self._split}
        remove_parts(self.store.folder(self._split))
        remove_folder(self._work)
        remove_quietly(self._work.parent)
        self.store = replace(self.store, entries=rest)
        self.store.save_manifest()
        if not rest:
            remove_quietly(self.store.path / MANIFEST)
            remove_quietly(self.store.path)

    def _entry_of(self, data_set: str, part_images: int, rate_hz: tuple[float, ...]) -> SplitEntry:
        samples = self._folder.samples
        now = SplitEntry(
            data_set,
            tuple(sample.name for sample in samples),
            tuple(sample.drive for sample in samples),
            tuple(sorted({*self._folder.ignore, UNLABELLED})),
            part_images,
            label_map={} if self._folder.label_map is None else self._folder.label_map.words(),
            rate_hz=rate_hz,
        )
        then = self.store.entries.get(self._split)
        if then is None:
            self._save(now)
            return now
        if change := then.other_data(now):
            raise StoreError(
                f"{self.store.path}: split {self._split!r} was collected from other data: {change}; {WAY_OUT}"
            )
        return then

    def _save(self, entry: SplitEntry) -> None:
        self._entry = entry
        self.store = replace(self.store, entries={**self.store.entries, self._split: entry})
        self.store.save_manifest()

    def _find_done(self) -> None:
        """Read what earlier runs wrote; damaged or half-written files are removed."""
        for part, path in enumerate(self.store.parts(self._split)):
            if path.is_file():
                note = read_or_remove(path, self._checked_note)
                if note is not None:
                    self._notes[part] = self._fitting(note, part)
                    self._done.update(self._images_of(part))
        for file in self._work.iterdir():
            index = int(file.stem) if file.suffix == ".arrow" and file.stem.isdigit() else -1
            if not 0 <= index < len(self._folder) or index in self._done:
                file.unlink()
            elif read_or_remove(file, read_image) is not None:
                self._done.add(index)

    def _checked_note(self, path: Path) -> Json:
        """The note of a part; raises ``DAMAGE`` if it does not match its hash."""
        if self._entry.hashes.get(path.name, digest := hash_of_file(path)) != digest:
            raise ValueError("content does not match its sha256")
        return part_note(path)

    def _fitting(self, note: Json, part: int) -> Json:
        if (there := len(note["files"])) != (expected := len(self._images_of(part))):
            raise StoreError(
                f"{self.store.parts(self._split)[part]}: holds {there} images, but {MANIFEST} says {expected}; "
                f"one of the two is damaged; {WAY_OUT}"
            )
        return note

    def _check_files(self) -> None:
        """Check that files of stored images have kept their sizes; files of images left out may have been repaired."""
        changed = []
        for index in sorted(self._done - self.left_out().keys()):
            part, place = divmod(index, self._entry.part_images)
            note = self._notes.get(part)
            then = note["files"][place] if note else image_note(self.image_file(index))["files"]
            if list(then) != file_sizes(self._folder.samples[index]):
                changed.append(self._folder.samples[index].name)
        if changed:
            raise StoreError(
                f"{self.store.path}: files of {len(changed)} images of split {self._split!r} have changed since they "
                f"were collected ({', '.join(changed[:3])}{', …' if len(changed) > 3 else ''}); {WAY_OUT}"
            )

    def _images_of(self, part: int) -> range:
        first = part * self._entry.part_images
        return range(first, min(first + self._entry.part_images, len(self._folder)))

    def _join_if_whole(self, part: int) -> None:
        images = self._images_of(part)
        if part in self._notes or not all(index in self._done for index in images):
            return
        files = {index: self.image_file(index) for index in images if index not in self._bad}
        notes = {index: image_note(file) for index, file in files.items()}
        note = {
            "files": [notes[k]["files"] if k in notes else file_sizes(self._folder.samples[k]) for k in images],
            "skipped": {self._folder.samples[k].name: self._bad[k] for k in images if k in self._bad},
            "segments": sum(n["segments"] for n in notes.values()),
            "with_interior": sum(n["with_interior"] for n in notes.values()),
            "shapes": [notes[k].get("shapes") if k in notes else None for k in images],
        }
        path = self.store.parts(self._split)[part]
        write_part(path, self._work / f"{path.name}.part", files.values(), self._schema, note)
        self._notes[part] = note
        self._save(replace(self._entry, hashes={**self._entry.hashes, path.name: hash_of_file(path)}))
        for index in images:
            self._bad.pop(index, None)
            remove_quietly(self.image_file(index))

    def _divide(self, part: int, without: set[int]) -> None:
        """The opposite of joining: split a part into one file per image, then remove it."""
        note, path = self._notes[part], self.store.parts(self._split)[part]
        try:
            rows = rows_by_image(path)
        except DAMAGE as error:
            raise StoreError(f"{path}: cannot be read ({error}); {WAY_OUT}") from error
        shapes = shapes_of(note)
        for place, index in enumerate(self._images_of(part)):
            if index not in without:
                mine = rows.get(index, self._schema.empty_table())
                write_image(self.image_file(index), mine, rows_note(mine, note["files"][place], shapes[place]))
        path.unlink()
        del self._notes[part]
