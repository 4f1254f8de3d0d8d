"""From labelled images to a meta model, and the meta model used: what to do for a network of your own.

    python examples/fit.py [FOLDER]

Needs the extra "fit". The images are synthetic; yours should be labelled, and not those the network was trained on.
"""

import sys
from pathlib import Path

import cv2

from trust_seg_ros import Frame, PipelineSettings, TrustPipeline
from trust_seg_ros.cli import main as trust_seg
from trust_seg_ros.synthetic import training_sample

IMAGES, SIZE = 10, (180, 240)


def main() -> None:
    """Write a labelled set, fit on it, judge an image with what was fitted."""
    out = Path(sys.argv[1] if len(sys.argv) > 1 else "out/examples")
    write_set(out / "labelled" / "val")

    # The network runs over the images once; the segments go into a table beside the file, and two models are fitted on
    # them: is a segment wrong (logistic regression), and how well does it fit (linear regression)? METHOD: MetaSeg.
    model = out / "meta.json"
    options = ["--split", "val", "--features", "E,D,V,S", "--workers", "1", "--force"]
    status = trust_seg(["fit", str(out / "labelled"), *options, "--out", str(model)])
    if status:
        sys.exit(status)

    pipeline = TrustPipeline.load(PipelineSettings(meta_model=str(model)))
    image, _ = training_sample(seed=99, size=SIZE)
    trust = pipeline(Frame(image)).trust
    print(f"another image: {len(trust.p_wrong)} segments, {(trust.p_wrong >= 0.5).sum()} with P(wrong) of at least 0.5")


def write_set(folder: Path) -> None:
    """``images/`` and ``labels/`` with the same names: one of the layouts of docs/datasets.md."""
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for seed in range(IMAGES):
        image, labels = training_sample(seed, SIZE)
        cv2.imwrite(str(folder / "images" / f"{seed:03d}.png"), image[..., ::-1])
        cv2.imwrite(str(folder / "labels" / f"{seed:03d}.png"), labels)


if __name__ == "__main__":
    main()
