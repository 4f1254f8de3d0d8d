"""Image in, flags and a picture out: the shortest way to use the library.

    python examples/library.py [IMAGE] [FOLDER]

Without an image, one of the synthetic drive is taken. The picture goes to FOLDER (default: out/examples).
"""

import sys
from pathlib import Path

import cv2

from trust_seg_ros import Frame, TrustPipeline
from trust_seg_ros.drawing.pictures import overlay
from trust_seg_ros.synthetic import training_sample


def main() -> None:
    """Judge one image."""
    given = sys.argv[1:]
    out = Path(given.pop() if given and not Path(given[-1]).is_file() else "out/examples")
    # an image is an array (H, W, 3) of uint8 in the order red, green, blue; OpenCV's own order is the other way round
    image = cv2.imread(given[0])[..., ::-1].copy() if given else training_sample(seed=3, size=(240, 320))[0]

    pipeline = TrustPipeline.load()  # the embedded network and the meta model that judges its segments
    result = pipeline(Frame(image))

    names, trust, segments = pipeline.labels.names, result.trust, result.segments
    print(f"{len(segments)} segments, {trust.unreliable.sum()} probably wrong; the least trusted:")
    for k in trust.p_wrong.argsort()[::-1][:5]:
        left, top, right, bottom = segments.boxes[k]
        print(f"  {names[segments.class_ids[k]]:12} P(wrong) {trust.p_wrong[k]:.2f}, expected IoU {trust.iou[k]:.2f}, "
              f"columns {left} to {right}, rows {top} to {bottom}")  # fmt: skip
    print(f"{100 * result.pixel_flags.mean():.1f} % of the pixels have an entropy above {result.thresholds['pixel']}")

    # segments.ids holds the number of each pixel's segment, 0 = none; numbers begin at 1
    wrong = segments.ids.astype(int) > 0
    wrong[wrong] = trust.unreliable[segments.ids[wrong] - 1]
    picture = overlay(image, result.maps.classes.numpy(), pipeline.labels.palette, unreliable=wrong)
    out.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(out / "library.png"), picture[..., ::-1])
    print(f"wrote {out / 'library.png'}: probably wrong segments are hatched")


if __name__ == "__main__":
    main()
