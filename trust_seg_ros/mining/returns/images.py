"""The images that labels belong to: found by name in a folder, or in what the tool exported."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath

from trust_seg_ros.datasets.image_files import IMAGE_SUFFIXES
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
            path = PurePosixPath(_key(name))
            for key in {path.name, path.stem}:
                self._files.setdefault(key, []).append(name)
        self._flat = all(len(found) == 1 for found in self._files.values())

    def find(self, name: str) -> str:
        """The file of a name that a tool gave it: the same name, or the only one without its folders, or its suffix.

        Raises:
            ReturnedError: there is none, or several.
        """
        path = PurePosixPath(_key(name.replace("\\", "/")))
        found = self._files.get(path.name) or self._files.get(_UPLOADED.sub("", path.name, count=1), [])
        if len(found) > 1:
            likeness = {file: _likeness(path, PurePosixPath(_key(file))) for file in found}
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
    """A path with letters in composed form (NFC), and the suffix of an image in lower case; dots in names stay."""
    path = PurePosixPath(unicodedata.normalize("NFC", name))
    known = path.suffix.lower() in IMAGE_SUFFIXES
    return (path.with_suffix(path.suffix.lower()) if known else path).as_posix()


def _likeness(one: PurePosixPath, other: PurePosixPath) -> tuple[int, bool]:
    """How many folders are the same from the end (images and labels are one), and whether all are."""
    pairs = zip(reversed(one.parent.parts), reversed(other.parent.parts), strict=False)
    same = [a == b or {a, b} == {"images", "labels"} for a, b in pairs]
    return [*same, False].index(False), one.parent == other.parent
