"""Converts messages of a bag to Rerun entities; needs rerun-sdk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import rerun as rr

from trust_seg_ros.drawing.pictures import PIXEL_FLAG, SEGMENT_FLAG, SIGNAL, UNKNOWN
from trust_seg_ros.messages.box_labels import box_label
from trust_seg_ros.messages.compressed import PixelMeaning, decompress
from trust_seg_ros.messages.detections import IOU, OOD, OOD_SCORE, TRACK_RESULTS, UNRELIABLE
from trust_seg_ros.messages.fields import HeaderFields
from trust_seg_ros.messages.image_bytes import ImageError, RawImage, read_compressed, read_image
from trust_seg_ros.messages.image_pixels import to_rgb
from trust_seg_ros.recordings.export.rerun_tracks import is_tracked, track_colour
from trust_seg_ros.recordings.replay.message_types import COMPRESSED
from trust_seg_ros.segmentation.labels import load_labels, made_up_palette
from trust_seg_ros.support.paths import label_names

NUMBERS = "numbers"
"""Path below the node; ``share`` (0..1), ``count`` and ``threshold`` hold its curves."""
SHOWN = ("overlay", "segmentation", "entropy", "margin", "gradient", "unreliable", "ood", "segments", "label_info")
"""Outputs that are shown; the others repeat the same content, or hold numbers for programs."""
_QUALITY = 90
_MAX_PIXELS = 100_000_000
_MAGIC = {b"\xff\xd8": "image/jpeg", b"\x89P": "image/png"}
_THRESHOLDS = ("pixel", "unreliable", "ood", "ood_meta")
_FLAGS = {
    "unreliable": {PIXEL_FLAG: ("pixel over its threshold", SIGNAL), SEGMENT_FLAG: ("unreliable segment", SIGNAL)},
    "ood": {PIXEL_FLAG: ("discarded OoD segment", UNKNOWN), SEGMENT_FLAG: ("OoD segment", UNKNOWN)},
}


@dataclass(frozen=True)
class Entity:
    """One thing to log.

    Attributes:
        path: entity path, such as "/front/trust_seg/entropy".
        what: the Rerun archetype to log.
        static: whether it is valid for all times.
    """

    path: str
    what: Any
    static: bool = False


def camera_entities(topic: str, type_name: str, data: bytes) -> tuple[HeaderFields, list[Entity]]:
    """An image of a camera; JPEG and PNG of ordinary colours pass through, others become JPEG.

    Raises:
        ImageError: the bytes are not such a message, or the pixels cannot be read.
    """
    if type_name == COMPRESSED:
        raw = read_compressed(data)
        media, meaning = _MAGIC.get(raw.data[:2].tobytes()), PixelMeaning.of(raw.format)
        if media is None or meaning.swapped or meaning.mosaic:
            return raw.header, [Entity(topic, _jpeg(decompress(raw, _MAX_PIXELS)))]
        return raw.header, [Entity(topic, rr.EncodedImage(contents=raw.data.tobytes(), media_type=media))]
    image = read_image(data)
    return image.header, [Entity(topic, _jpeg(to_rgb(image, _MAX_PIXELS)))]


def output_entities(node: str, output: str, data: bytes) -> tuple[HeaderFields, list[Entity]]:
    """An image output of a node, and the curves derived from it.

    Raises:
        ImageError: as :func:`camera_entities`.
    """
    image = read_image(data)
    return image.header, list(_BY_OUTPUT[output](f"{node}/{output}", f"{node}/{NUMBERS}/", image))


def detection_entities(node: str, message: Any) -> list[Entity]:
    """A Detection2DArray: boxes, and the number of boxes of each kind.

    A detection without P(false positive) and IoU is an out-of-distribution segment; without a meta model, so are the
    class segments that lie on one. With tracking every box has the colour of its track, its label begins with the
    track's id, and ``track`` with the results that tracking adds can be read by clicking on it.
    """
    kinds = [{r.hypothesis.class_id: r.hypothesis.score for r in d.results} for d in message.detections]
    strange = [not scores.keys() & {UNRELIABLE, IOU} for scores in kinds]
    boxes = [d.bbox for d in message.detections]
    tracks = [d.id if is_tracked(scores) else "" for d, scores in zip(message.detections, kinds, strict=True)]
    shown = rr.Boxes2D(
        centers=[(box.center.position.x, box.center.position.y) for box in boxes],
        half_sizes=[(box.size_x / 2, box.size_y / 2) for box in boxes],
        labels=[_label(scores, track) for scores, track in zip(kinds, tracks, strict=True)],
        colors=[
            track_colour(track) if track else UNKNOWN if ood else SIGNAL
            for track, ood in zip(tracks, strange, strict=True)
        ],
    )
    numbers = f"{node}/{NUMBERS}/count/"
    values = {name: pa.array([s.get(name, np.nan) for s in kinds], pa.float64()) for name in TRACK_RESULTS}
    told = [rr.AnyValues(track=pa.array(tracks, pa.string()), **values)] if any(tracks) else []
    return [
        *(Entity(f"{node}/segments", what) for what in (shown, *told)),
        Entity(f"{numbers}detected_segments", rr.Scalars(len(strange) - sum(strange))),
        Entity(f"{numbers}ood_segments", rr.Scalars(sum(strange))),
    ]


def label_entities(node: str, message: Any) -> list[Entity]:
    """A LabelInfo: names and colours of the classes, and the pixel threshold if it has one."""
    ids = [entry.class_id for entry in message.class_map]
    names = tuple(entry.class_name for entry in message.class_map)
    colours = class_colours(names).tolist()
    context = [rr.AnnotationInfo(*entry) for entry in zip(ids, names, colours, strict=True)]
    found = [Entity(f"{node}/segmentation", rr.AnnotationContext(context), static=True)]
    if message.threshold != 0:  # 0: the threshold does not act on the entropy
        found.append(Entity(f"{node}/{NUMBERS}/threshold/pixel", rr.Scalars(1.0 - message.threshold)))
    return found


def diagnostic_entities(message: Any, nodes: tuple[str, ...]) -> tuple[list[Entity], dict[str, str]]:
    """A DiagnosticArray: current thresholds of these nodes; and node -> topic of its camera."""
    found, cameras = [], {}
    for status in message.status:
        name, _, part = status.name.rpartition(": ")
        if part != "thresholds" or f"/{name}" not in nodes:
            continue
        cameras[f"/{name}"] = status.hardware_id
        for pair in status.values:
            if pair.key in _THRESHOLDS and (value := _number(pair.value)) is not None:
                found.append(Entity(f"/{name}/{NUMBERS}/threshold/{pair.key}", rr.Scalars(value)))
    return found, cameras


def fixed_entities(node: str) -> list[Entity]:
    """Static entities of a node: the meaning of the values in its masks."""
    return [
        Entity(
            f"{node}/{output}",
            rr.AnnotationContext(
                [rr.AnnotationInfo(0, "", (0, 0, 0, 0))]
                + [rr.AnnotationInfo(value, text, colour) for value, (text, colour) in flags.items()]
            ),
            static=True,
        )
        for output, flags in _FLAGS.items()
    ]


def refusal(topic: str, error: ImageError) -> Entity:
    """The reason why a message cannot be shown, as text."""
    return Entity(f"{topic}/refused", rr.TextLog(str(error), level=rr.TextLogLevel.WARN))


def class_colours(names: tuple[str, ...]) -> np.ndarray:
    """(q, 3) uint8 RGB of the classes: from the shipped label set with these names, or generated."""
    for name in label_names():
        labels = load_labels(name)
        if labels.names == names:
            return labels.palette
    return made_up_palette(len(names))


def _picture(path: str, _: str, image: RawImage) -> Iterator[Entity]:
    yield Entity(path, _jpeg(to_rgb(image, _MAX_PIXELS)))


def _classes(path: str, _: str, image: RawImage) -> Iterator[Entity]:
    yield Entity(path, rr.SegmentationImage(_plane(image)))


def _heat(path: str, _: str, image: RawImage) -> Iterator[Entity]:
    """A map as a depth image: coloured, with readable values. Bytes are 255ths."""
    plane = _plane(image)
    if plane.dtype == np.uint8:
        yield Entity(path, rr.DepthImage(plane, meter=255.0, colormap="inferno", depth_range=(0, 255)))
    elif path.endswith("/gradient"):  # norms have no natural range
        yield Entity(path, rr.DepthImage(plane, meter=1.0, colormap="inferno"))
    else:
        yield Entity(path, rr.DepthImage(plane, meter=1.0, colormap="inferno", depth_range=(0, 1)))


def _entropy(path: str, numbers: str, image: RawImage) -> Iterator[Entity]:
    yield from _heat(path, numbers, image)
    plane = _plane(image)
    top = 255.0 if plane.dtype == np.uint8 else 1.0
    yield Entity(f"{numbers}share/entropy_mean", rr.Scalars(float(plane.mean(dtype=np.float64)) / top))


def _unreliable(path: str, numbers: str, image: RawImage) -> Iterator[Entity]:
    plane = _plane(image)
    yield Entity(path, rr.SegmentationImage(plane))
    yield Entity(f"{numbers}share/flagged", rr.Scalars(np.count_nonzero(plane) / plane.size))
    yield Entity(f"{numbers}share/unreliable", rr.Scalars(np.count_nonzero(plane == SEGMENT_FLAG) / plane.size))


def _ood(path: str, numbers: str, image: RawImage) -> Iterator[Entity]:
    plane = _plane(image)
    yield Entity(path, rr.SegmentationImage(plane))
    yield Entity(f"{numbers}share/ood", rr.Scalars(np.count_nonzero(plane == SEGMENT_FLAG) / plane.size))


_BY_OUTPUT: Mapping[str, Callable[[str, str, RawImage], Iterator[Entity]]] = {
    "overlay": _picture,
    "segmentation": _classes,
    "entropy": _entropy,
    "margin": _heat,
    "gradient": _heat,
    "unreliable": _unreliable,
    "ood": _ood,
}


def _plane(image: RawImage) -> np.ndarray:
    """(H, W) pixels of a one-channel image, as sent."""
    kinds = {"mono8": "u1", "32FC1": ">f4" if image.is_bigendian else "<f4"}
    if image.encoding not in kinds:
        raise ImageError(f"image refused: encoding {image.encoding!r}, expected one of {', '.join(kinds)}")
    kind = np.dtype(kinds[image.encoding])
    row = image.width * kind.itemsize
    if image.height < 1 or row < 1 or image.step < row or len(image.data) < image.step * image.height:
        raise ImageError(
            f"image refused: {image.width} × {image.height} with rows of {image.step} bytes, and {len(image.data)} "
            f"bytes in all; expected rows of at least {row} bytes, and as many as there are"
        )
    rows = image.data[: image.step * image.height].reshape(image.height, image.step)[:, :row]
    plane = np.ascontiguousarray(rows).view(kind)
    return plane.astype(kind.newbyteorder("="), copy=False)


def _jpeg(rgb: np.ndarray) -> Any:
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    _, packed = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return rr.EncodedImage(contents=packed.tobytes(), media_type="image/jpeg")


def _label(scores: Mapping[str, float], track: str) -> str:
    name = next((name for name in scores if name not in (UNRELIABLE, OOD, OOD_SCORE, IOU, *TRACK_RESULTS)), "")
    strange = next(((kind, scores[kind]) for kind in (OOD, OOD_SCORE) if kind in scores), None)
    return box_label(name, scores.get(UNRELIABLE), strange, scores.get(IOU), track)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:  # "n/a"
        return None
