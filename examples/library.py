"""Image in, flags and a picture out: the shortest way to use the library.

    python examples/library.py [IMAGE] [FOLDER]

Without an image, one of the synthetic drive is taken. The picture goes to FOLDER (default: out/examples).
"""

import sys
from pathlib import Path

import cv2

from trust_seg_ros import TrustPipeline
from trust_seg_ros.drawing.pictures import overlay
from trust_seg_ros.synthetic import training_sample


def main() -> None:
    """Judge one image."""
    given = sys.argv[1:]
    out = Path(given.pop() if given and not Path(given[-1]).is_file() else "out/examples")
    # a path, or an array (H, W, 3) of uint8 in the order red, green, blue
    image = given[0] if given else training_sample(seed=3, size=(240, 320))[0]

    pipeline = TrustPipeline.load("embedded")  # the embedded network and the meta models that judge its segments
    result = pipeline(image)

    wrong = result.segments.unreliable()
    print(f"{len(result.segments)} segments, {len(wrong)} probably wrong; the least trusted:")
    for segment in result.segments.least_trusted(5):
        left, top, right, bottom = segment.box
        print(f"  {segment.class_name:12} P(wrong) {segment.p_wrong:.2f}, expected IoU {segment.iou:.2f}, "
              f"columns {left} to {right}, rows {top} to {bottom}")  # fmt: skip
    print(f"{100 * result.pixel_flags.mean():.1f} % of the pixels have an entropy above {result.thresholds['pixel']}")

    # result.plot() shows everything side by side; this is one of its parts, as large as the image
    classes, palette = result.maps.classes.numpy(), result.labels.palette
    picture = overlay(result.frame.image, classes, palette, unreliable=wrong.mask)
    out.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(out / "library.png"), picture[..., ::-1])
    print(f"wrote {out / 'library.png'}: probably wrong segments are hatched")


if __name__ == "__main__":
    main()
