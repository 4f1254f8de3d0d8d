"""Thresholds that adapt: policies on a drive whose weather changes, and the thresholds they come to.

python examples/thresholds.py
"""

from trust_seg_ros import Frame, TrustPipeline, Wanted
from trust_seg_ros.synthetic import DriveSettings, SyntheticDrive
from trust_seg_ros.thresholds import PolicySettings, ThresholdSettings

FPS = 2.0
POLICIES = {
    "fixed 0.6": PolicySettings("fixed", value=0.6),
    # at most 2 % of an image; smoothed, so that one frame does not pull the threshold about
    "quantile 0.98": PolicySettings("quantile", quantile=0.98),
    "the same over 2 s": PolicySettings("quantile", quantile=0.98, smoothing_s=2.0),
    "mean + 2 std": PolicySettings("mean_std", k=2.0),
    "Otsu's split": PolicySettings("otsu"),
}
"""`target_recall` and `conformal` follow labelled images instead: docs/thresholds.md."""


def main() -> None:
    """Print the threshold on the pixels' entropy, and the share of pixels flagged, frame by frame."""
    pipeline = TrustPipeline.load()
    wanted = Wanted(segments=False, ood=False)  # only what is used here is computed
    print("weather   time   " + "".join(f"{name:>20}" for name in POLICIES))
    for weather in ("clear", "fog"):
        drive = SyntheticDrive(DriveSettings(size=(180, 240), seed=5, fps=FPS, weather=weather))
        columns = []
        for policy in POLICIES.values():
            pipeline.reset()  # another policy, another drive: what was smoothed is forgotten
            columns.append(thresholds(pipeline, drive, ThresholdSettings(pixel=policy), wanted))
        for k, row in enumerate(zip(*columns, strict=True)):
            cells = "".join(f"{threshold:10.3f}{100 * share:8.1f} %" for threshold, share in row)
            print(f"{weather:8} {k / FPS:4.1f} s   {cells}")


def thresholds(
    pipeline: TrustPipeline, drive: SyntheticDrive, settings: ThresholdSettings, wanted: Wanted, frames: int = 5
) -> list[tuple[float, float]]:
    """(threshold, share of the pixels at or above it) of each frame."""
    found = []
    for k in range(frames):
        shown = drive.frame(k)
        # smoothing counts the seconds between stamps, not frames
        result = pipeline(Frame(shown.image, stamp_ns=int(shown.time_s * 1e9)), settings, wanted)
        found.append((result.thresholds["pixel"], float(result.pixel_flags.mean())))
    return found


if __name__ == "__main__":
    main()
