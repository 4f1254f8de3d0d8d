"""The calibration file of ``trust-seg calibrate``: what labelled data say of a network's scores, as readable JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.meta.errors import MetaModelError
from trust_seg_ros.meta.model_file import check_network, portable_name, read_json, write_json
from trust_seg_ros.thresholds.curves import RecallCurve, RiskCurve
from trust_seg_ros.thresholds.policies import Curves
from trust_seg_ros.thresholds.temperature import Temperature
from trust_seg_ros.types import Json
from trust_seg_ros.uncertainty.standardized import ClassStatistics

FORMAT = "trust_seg_ros/calibration"
VERSION = 1
_WAY_OUT = "calibrate this one (trust-seg calibrate DATASET --out FILE)"


class CalibrationError(TrustSegError):
    """A calibration file that is missing, damaged, cannot be written, or belongs to another network."""


@dataclass(frozen=True)
class ScoreCalibration:
    """Of one pixel score.

    Attributes:
        recall: share of misclassified pixels found against the threshold; None where none was misclassified.
        risk: mean share missed per image against the threshold.
        class_recall: the recall curve of each predicted class; None where none of it was misclassified.
        frame_means: mean of the score over the finite pixels of each image; what the shift monitor compares with.
    """

    recall: RecallCurve | None
    risk: RiskCurve
    class_recall: tuple[RecallCurve | None, ...] = ()
    frame_means: tuple[float, ...] = ()

    def to_json(self) -> Json:
        """As plain values."""
        return {
            "recall": None if self.recall is None else self.recall.to_json(),
            "risk": self.risk.to_json(),
            "class_recall": [None if curve is None else curve.to_json() for curve in self.class_recall],
            "frame_means": list(self.frame_means),
        }

    @classmethod
    def from_json(cls, data: Json) -> ScoreCalibration:
        """Back from :meth:`to_json`; raises CurveError, KeyError, TypeError or ValueError where it is damaged."""
        recall, by_class = data["recall"], data["class_recall"]
        return cls(
            None if recall is None else RecallCurve.from_json(recall),
            RiskCurve.from_json(data["risk"]),
            tuple(None if curve is None else RecallCurve.from_json(curve) for curve in by_class),
            tuple(float(mean) for mean in data["frame_means"]),
        )


@dataclass(frozen=True)
class Calibration:
    """What was learned of one network from labelled, in-distribution images.

    Attributes:
        network, class_names: of the network.
        class_statistics: of the largest logit by predicted class; None where the network gives no raw logits.
        summary: which data, how many images and pixels.
        temperature: of the softmax; None where it was not looked for.
        scores: name of a pixel score -> its curves.
        segments: "p_wrong": share of an image's wrong segments below a threshold on P(false positive); "p_ood": share
            of its OoD objects that no OoD segment at or above a threshold on P(OoD) touches.
    """

    network: str
    class_names: tuple[str, ...]
    class_statistics: ClassStatistics | None = None
    summary: Json = field(default_factory=dict)
    temperature: Temperature | None = None
    scores: Mapping[str, ScoreCalibration] = field(default_factory=dict)
    segments: Mapping[str, RiskCurve] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.class_statistics is not None and len(self.class_statistics) != len(self.class_names):
            raise CalibrationError(
                f"class statistics of {len(self.class_statistics)} classes; the calibration has {len(self.class_names)}"
            )

    def curves(self, name: str) -> Curves | None:
        """What a policy needs of a pixel score, of "p_wrong" or "p_ood"; None where that is not calibrated."""
        if name in self.segments:
            return Curves(risk=self.segments[name])
        score = self.scores.get(name)
        return None if score is None else Curves(score.recall, score.risk, score.class_recall)

    def check_fits(self, network: str, class_names: Sequence[str]) -> None:
        """Refuse to serve another network; a file of one may have moved.

        Raises:
            CalibrationError: the text names both.
        """
        try:
            check_network((self.network, self.class_names), (network, tuple(class_names)), "the calibration", _WAY_OUT)
        except MetaModelError as error:
            raise CalibrationError(str(error).replace("was fitted for", "was made for")) from error

    def save(self, path: str | Path) -> None:
        """Write the file; atomic rename, so a broken run leaves nothing half-written.

        Raises:
            CalibrationError: it cannot be written there.
        """
        content = {
            "format": FORMAT,
            "version": VERSION,
            "network": portable_name(self.network),
            "classes": list(self.class_names),
            "summary": self.summary,
        }
        if self.class_statistics is not None:
            content["class_statistics"] = self.class_statistics.to_json()
        if self.temperature is not None:
            content["temperature"] = self.temperature.to_json()
        content["scores"] = {name: score.to_json() for name, score in self.scores.items()}
        content["segments"] = {name: curve.to_json() for name, curve in self.segments.items()}
        try:
            write_json(content, path, "a calibration", short_lists=True)
        except MetaModelError as error:
            raise CalibrationError(str(error)) from error


def load_calibration(path: str | Path) -> Calibration:
    """Read a file that :meth:`Calibration.save` wrote; ``~`` is the home directory.

    Raises:
        CalibrationError: missing, not JSON, of another format or version, incomplete or damaged.
    """
    path = Path(path).expanduser()
    try:
        data = read_json(path, FORMAT, VERSION, "calibration", "trust-seg calibrate DATASET --out FILE makes one")
        statistics = data.get("class_statistics")
        names = data["classes"]
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError(f"classes are {names!r}")
        if not isinstance(data["network"], str) or not isinstance(data.get("summary", {}), dict):
            raise ValueError("network or summary has another type")
        return Calibration(
            data["network"],
            tuple(names),
            None if statistics is None else ClassStatistics.from_json(statistics),
            data.get("summary", {}),
            None if data.get("temperature") is None else Temperature.from_json(data["temperature"]),
            {name: ScoreCalibration.from_json(score) for name, score in data.get("scores", {}).items()},
            {name: RiskCurve.from_json(curve) for name, curve in data.get("segments", {}).items()},
        )
    except MetaModelError as error:
        raise CalibrationError(str(error)) from error
    except CalibrationError as error:
        raise CalibrationError(f"{path}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, TrustSegError) as error:
        raise CalibrationError(f"{path}: incomplete or damaged ({type(error).__name__}: {error})") from error
