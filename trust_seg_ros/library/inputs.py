"""What the pipeline takes: one image in any of its forms, a recording by its path, or many of them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn, TypeGuard

import cv2
import numpy as np

from trust_seg_ros.datasets.image_files import IMAGE_SUFFIXES, read_image
from trust_seg_ros.library.errors import InputError
from trust_seg_ros.recordings.bags import BagSource, is_bag, refuse_pointer
from trust_seg_ros.recordings.files import FolderSource
from trust_seg_ros.recordings.sources import VIDEO_SUFFIXES, Derived, FrameSource, open_source
from trust_seg_ros.recordings.videos import VideoSource
from trust_seg_ros.types import Frame

TAKEN = (
    "the path of an image, a folder, a video or a bag, a PIL image, an array (H, W, 3) of uint8 in the order red, "
    "green, blue, a Frame, the number of a camera, or a list of images"
)


@dataclass(frozen=True)
class Named:
    """A frame, and what to call it: its file, or its place in a recording."""

    frame: Frame
    name: str = ""


def one(given: object) -> Named | None:
    """A single image as a frame; None for what may hold several.

    Raises:
        InputError: an array or a PIL image that is no picture of a camera.
        DatasetError: a file that cannot be read.
    """
    if isinstance(given, Frame):
        return Named(_checked(given))
    if isinstance(given, np.ndarray):
        return Named(Frame(pixels_of(given)))
    if _is_pil(given):
        return Named(Frame(_pil_pixels(given)))
    if isinstance(given, (str, Path)) and _is_image_file(path := Path(given).expanduser()):
        return Named(Frame(read_image(path)), str(given))
    return None


def many(given: object) -> Iterator[Named]:
    """The frames of a recording, camera, list or iterator. What is opened is opened at once, not at the first frame.

    Raises:
        InputError: nothing that the pipeline takes.
        SourceError: the path is missing, empty or of an unknown kind.
    """
    if _is_number(given):
        if given < 0:
            refuse(given)
        given = f"/dev/video{given}"
    if isinstance(given, (str, Path)):
        return _played(open_source(Path(given).expanduser()), str(given))
    if isinstance(given, FrameSource):
        return _played(given, _origin(given))
    if isinstance(given, Iterable) and not isinstance(given, (bytes, bytearray, memoryview, Mapping)) and _plain(given):
        return _each(given)
    refuse(given)


def is_recording(given: object) -> bool:
    """Whether it has a beginning and is no list of images: a path, a camera, or an opened source."""
    return _is_number(given) or isinstance(given, (str, Path, FrameSource))


def pixels_of(array: np.ndarray) -> np.ndarray:
    """An array as (H, W, 3) uint8: grey becomes three equal channels, alpha is left out.

    Raises:
        InputError: it is no picture; the text says what it may be and how to make it one.
    """
    shape, kind = array.shape, array.dtype
    found = f"an array {shape} of {kind}"
    wanted = "expected (H, W, 3) of uint8 in the order red, green, blue"
    if array.size == 0:
        raise InputError(f"{found} has no pixels; {wanted}")
    if array.ndim == 4:
        raise InputError(f"{found} seems to hold several images; {wanted}: give a list of them, pipeline(list(array))")
    if array.ndim == 3 and shape[0] in (1, 3, 4) and shape[2] not in (1, 3, 4):
        raise InputError(f"{found} seems to have its channels first; {wanted}: array.transpose(1, 2, 0)")
    if array.ndim not in (2, 3) or (array.ndim == 3 and shape[2] not in (1, 3, 4)):
        raise InputError(f"{found} is no picture; {wanted}")
    if kind != np.uint8:
        raise InputError(f"{found} has another type; {wanted}: {_to_bytes(kind)}")
    if array.ndim == 2 or shape[2] == 1:
        return cv2.cvtColor(np.ascontiguousarray(array), cv2.COLOR_GRAY2RGB)
    if shape[2] == 4:
        array = array[..., :3]
    return np.ascontiguousarray(array)  # an image read by OpenCV and turned around by [..., ::-1] is a view


def _to_bytes(kind: np.dtype[Any]) -> str:
    if kind.kind == "f":
        return "values from 0 to 1 become bytes by (255 * array).round().astype(numpy.uint8)"
    if kind == np.uint16:
        return "16 bits become 8 by (array >> 8).astype(numpy.uint8), if all 16 are in use"
    if kind == np.bool_:
        return "a mask is no camera image"
    return "values from 0 to 255 become bytes by array.astype(numpy.uint8)"


def refuse(given: object) -> NoReturn:
    """Say what was given, what is taken, and the way out.

    Raises:
        InputError: always.
    """
    kind = f"{type(given).__module__}.{type(given).__qualname__}".removeprefix("builtins.")
    what = f"{given!r}" if given is None or isinstance(given, (bool, int, float)) else kind
    raise InputError(f"the pipeline was given {what}; it takes {TAKEN}{_way_out(given, kind)}")


def _way_out(given: object, kind: str) -> str:
    if isinstance(given, (bytes, bytearray, memoryview)):
        return ". Bytes of an image file: cv2.imdecode(numpy.frombuffer(data, numpy.uint8), 1)[..., ::-1]"
    if kind == "torch.Tensor":
        return ". A tensor (3, H, W) with values from 0 to 1: (255 * x).byte().permute(1, 2, 0).cpu().numpy()"
    if isinstance(given, Mapping):
        return ". Of a dictionary, give the values: pipeline(list(x.values()))"
    if kind.endswith(("_Image.Image", "_CompressedImage.CompressedImage")):
        return ". A ROS message is for the node"
    if hasattr(given, "__array__"):
        return ". Make it an array first: numpy.asarray(x)"
    return ""


def _checked(frame: Frame) -> Frame:
    """A frame whose image is one, as it is: results hold the caller's frame."""
    image = frame.image
    if not isinstance(image, np.ndarray):
        refuse_image(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        refuse_image(image)
    if min(image.strides) < 0:  # read by OpenCV and turned around by [..., ::-1]; torch cannot walk backwards
        return replace(frame, image=np.ascontiguousarray(image))
    return frame


def refuse_image(image: object) -> NoReturn:
    """Refuse what a Frame holds.

    Raises:
        InputError: always.
    """
    found = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
    raise InputError(
        f"the image of the Frame is {found}; expected an array (H, W, 3) of uint8 with at least one pixel. Grey "
        "images, paths and PIL images can be given without a Frame: pipeline(image)"
    )


def _is_number(given: object) -> TypeGuard[int]:
    return isinstance(given, (int, np.integer)) and not isinstance(given, bool)


def _is_pil(given: object) -> bool:
    pil = sys.modules.get("PIL.Image")  # who has such an image has imported it
    return pil is not None and isinstance(given, pil.Image)


def _pil_pixels(image: Any) -> np.ndarray:
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        raise InputError(
            f"a PIL image of mode {image.mode} has values beyond 8 bits; expected RGB, L, P, RGBA or CMYK: give the "
            "path of its file, whose bits are looked at, or make it 8 bits first"
        )
    if 0 in image.size:
        raise InputError(f"a PIL image of {image.size[0]}×{image.size[1]} has no pixels; expected at least one")
    try:
        return np.asarray(image.convert("RGB"))
    except OSError as error:  # PIL reads the file only now
        raise InputError(f"the PIL image cannot be read ({error}); expected a whole image file") from error


def _is_image_file(path: Path) -> bool:
    if not path.is_file() or path.suffix.lower() in VIDEO_SUFFIXES:
        return False
    refuse_pointer(path)
    return path.suffix.lower() in IMAGE_SUFFIXES or (not is_bag(path) and cv2.haveImageReader(str(path)))


def _plain(given: object) -> bool:
    """Whether iterating over it gives its items, and not pieces of one thing (a tensor's rows)."""
    return not hasattr(given, "__array__") or isinstance(given, (list, tuple))


def _played(source: FrameSource, name: str) -> Iterator[Named]:
    if isinstance(source, FolderSource) and source.refusals is None:  # else some may be left out
        files = [str(path) for path, _ in source.chosen()]
        return (Named(frame, file) for frame, file in zip(source, files, strict=True))
    return (Named(frame, f"{name}, frame {k}") for k, frame in enumerate(source))


def _origin(source: FrameSource) -> str:
    """What to call a source: its path, or a camera's or a drive's description."""
    while isinstance(source, Derived):
        source = source.source
    if isinstance(source, (VideoSource, BagSource)):
        return str(source.path)
    return str(source.folder) if isinstance(source, FolderSource) else source.description


def _each(given: Iterable[object]) -> Iterator[Named]:
    for k, item in enumerate(given):
        try:
            found = one(item)
            if found is None:
                several = isinstance(item, (str, Path))
                if isinstance(item, (str, Path)):
                    open_source(Path(item).expanduser())  # says what is wrong with a path
                raise InputError(
                    f"{'it holds many frames' if several else _kind(item)}; expected single images in a list: paths, "
                    "arrays, PIL images or Frames" + ("; give a folder, video or bag alone" if several else "")
                )
        except TypeError as error:  # InputError
            raise InputError(f"image {k} of the list: {error}") from error
        yield found


def _kind(item: object) -> str:
    return (
        f"it is {item!r}" if item is None or isinstance(item, (bool, int, float)) else f"it is a {type(item).__name__}"
    )
