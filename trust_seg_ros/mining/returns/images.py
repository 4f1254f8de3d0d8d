"""The images that labels belong to: found by name in a folder, or in what the tool exported."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from trust_seg_ros.datasets.image_files import IMAGE_SUFFIXES
from trust_seg_ros.datasets.names import plain
from trust_seg_ros.mining.returns.errors import ReturnedError
from trust_seg_ros.mining.returns.package import Package
from trust_seg_ros.mining.returns.shapes import Size
from trust_seg_ros.support.encoded_image import EncodedImageError, decode
from trust_seg_ros.support.image_orientation import UPRIGHT, WORDS, orientation
from trust_seg_ros.support.reading import shown

_UPLOADED = re.compile("[0-9a-f]{8}-")
"""What Label Studio puts before the name of an uploaded file."""


class Images:
    """Image files by name. Names never lead out of it: they are looked up, not opened.

    Args:
        package: a folder, or what a tool exported.
    """

    def __init__(self, package: Package) -> None:
        self._package = package
        self._files: dict[str, list[str]] = {}
        for name in package.named(*IMAGE_SUFFIXES):
            for key in {_key(name), PurePosixPath(_key(name)).stem}:
                self._files.setdefault(key, []).append(name)
        self._flat = all(len(found) == 1 for found in self._files.values())

    def find(self, name: str) -> str:
        """The file of a name that a tool gave it: the same name, or the only one without its folders, or its suffix.

        Raises:
            ReturnedError: there is none, or several.
        """
        path = plain(name.replace("\\", "/"))
        base = PurePosixPath(path).name
        found = self._files.get(base) or self._files.get(_UPLOADED.sub("", base, count=1), [])
        if len(found) > 1:
            parts = PurePosixPath(path).with_suffix("").parts
            likeness = {file: _shared(parts, PurePosixPath(plain(file)).with_suffix("").parts) for file in found}
            best = max(likeness.values())
            found = [file for file in found if likeness[file] == best]
        if len(found) != 1:
            what = f"{len(found)} images are called so ({', '.join(found[:3])})" if found else "no such image"
            raise ReturnedError(
                f"{self._package.path}: {what}: {shown(name)}; expected the images that were labelled, with their "
                "names: give their folder with --images"
            )
        return found[0]

    def name_of(self, file: str) -> PurePosixPath:
        """Name in a data set: without folders where that is clear."""
        return PurePosixPath(PurePosixPath(file).name if self._flat else file)

    def read(self, file: str) -> tuple[bytes, Size]:
        """Content and size (H, W) of an image.

        Raises:
            ReturnedError: it is damaged, or viewers turn or mirror it, so that nobody knows how it was labelled.
        """
        where = self._package.where(file)
        data = self._package.read(file, "image")
        turned = orientation(data)
        if turned != UPRIGHT:
            raise ReturnedError(
                f"{where}: viewers show this image {WORDS[turned]} (EXIF orientation {turned}), trust_seg_ros does "
                "not; it is not guessed how it was labelled: label images without it, as trust-seg mine writes them"
            )
        try:
            height, width = decode(data).shape[:2]
        except EncodedImageError as error:
            raise ReturnedError(f"{where}: not a readable image ({error})") from error
        return data, (height, width)


def _key(name: str) -> str:
    return PurePosixPath(plain(name)).name


def _shared(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    """How many parts are the same from the end; folders called images and labels are one."""
    count = 0
    for a, b in zip(reversed(one), reversed(other), strict=False):
        if a != b and {a, b} != {"images", "labels"}:
            break
        count += 1
    return count
