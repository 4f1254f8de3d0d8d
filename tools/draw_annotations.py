"""Draw a frame of a replay as Foxglove shows it: the overlay with boxes and labels, for docs/foxglove.md.

trust-seg replay trust_seg_ros/recordings/clips/motorway.mp4 --out out/motorway -p tracking:=on \
    --topics overlay annotations
python tools/draw_annotations.py out/motorway --frame 12 --out docs/images/foxglove.jpg
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from trust_seg_ros.bags.reader import BagReader
from trust_seg_ros.recordings.replay.message_types import type_store

LARGER = 1.5
IMAGE, ANNOTATIONS = "/trust_seg/overlay", "/trust_seg/annotations"
LETTERS, LETTER_HEIGHT = cv2.FONT_HERSHEY_SIMPLEX, 22.0


def message_of(bag: Path, topic: str, frame: int) -> Any:
    """The message of one topic with that number."""
    with BagReader.open(bag) as reader:
        kind = reader.topics[topic].type_name
        for number, message in enumerate(reader.messages({topic})):
            if number == frame:
                return type_store().deserialize_cdr(message.data, kind)
    raise SystemExit(f"{bag} has fewer than {frame + 1} messages on {topic}")


def colour(of: Any) -> tuple[int, int, int]:
    """RGB, 0 to 255."""
    return round(255 * of.r), round(255 * of.g), round(255 * of.b)


def draw(image: Any, annotations: Any) -> np.ndarray:
    """(H, W, 3) uint8 RGB, ``LARGER`` times as large as the image."""
    pixels = np.frombuffer(image.data, np.uint8).reshape(image.height, image.width, 3)
    picture = cv2.resize(pixels, None, fx=LARGER, fy=LARGER, interpolation=cv2.INTER_CUBIC)
    for outline in annotations.points:
        corners = np.array([[LARGER * p.x, LARGER * p.y] for p in outline.points]).round().astype(np.int32)
        cv2.polylines(picture, [corners], True, colour(outline.outline_color), 2, cv2.LINE_AA)
    for text in annotations.texts:
        x, y, scale = round(LARGER * text.position.x), round(LARGER * text.position.y), LARGER * text.font_size
        (width, height), below = cv2.getTextSize(text.text, LETTERS, scale / LETTER_HEIGHT / 1.6, 1)
        behind = picture[max(0, y - height - 2) : y + below, max(0, x) : x + width + 4]
        behind[:] = (behind * (1.0 - text.background_color.a)).astype(np.uint8)
        where = (x + 2, y - 1)
        cv2.putText(
            picture, text.text, where, LETTERS, scale / LETTER_HEIGHT / 1.6, colour(text.text_color), 1, cv2.LINE_AA
        )
    return picture


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("replay", type=Path, help="folder that trust-seg replay wrote")
    parser.add_argument("--frame", type=int, default=0, help="number of the frame, from 0")
    parser.add_argument("--out", type=Path, required=True, help="JPEG to write")
    args = parser.parse_args()
    picture = draw(message_of(args.replay, IMAGE, args.frame), message_of(args.replay, ANNOTATIONS, args.frame))
    cv2.imwrite(str(args.out), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])


if __name__ == "__main__":
    main()
