"""The calibration file of ``trust-seg calibrate``: a network's scores on labelled data, as readable JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.grid import Size
from trust_seg_ros.support.json_file import MadeFor, check_network, portable_name, raised_as, read_json, write_json
from trust_seg_ros.support.json_parts import JsonError
from trust_seg_ros.support.nearest import unknown
from trust_seg_ros.thresholds import calibrated_grid
from trust_seg_ros.thresholds.policies.base import Curves
from trust_seg_ros.thresholds.score_calibration import ScoreCalibration
from trust_seg_ros.thresholds.temperature import Temperature
from trust_seg_ros.types import Json
from trust_seg_ros.uncertainty.feature_file import FeatureFile, save_features
from trust_seg_ros.uncertainty.feature_statistics import FeatureSource
from trust_seg_ros.uncertainty.gradient_inputs import GradientSettings
from trust_seg_ros.uncertainty.network_statistics import NO_STATISTICS, NetworkStatistics
from trust_seg_ros.uncertainty.score_names import GRADIENT_SCORES, IN_LOGARITHMS, SCORES
from trust_seg_ros.uncertainty.standardized import ClassStatistics

__all__ = ["Calibration", "CalibrationError", "ScoreCalibration", "load_calibration", "network_statistics"]

FORMAT = "trust_seg_ros/calibration"
VERSION = 2
_SEGMENTS = ("p_wrong", "p_ood")
_ANEW = "calibrate again (trust-seg calibrate DATASET --out FILE)"
_WAY_OUT = "calibrate this one (trust-seg calibrate DATASET --out FILE)"


class CalibrationError(TrustSegError):
    """A calibration file is missing, damaged, cannot be written, or belongs to another network."""


@dataclass(frozen=True)
class Calibration:
    """Calibration of one network, from labelled, in-distribution images.

    Attributes:
        network, class_names: name and classes of the network.
        class_statistics: statistics of the largest logit by predicted class; None if the network gives no raw logits.
        summary: which data, how many images and pixels.
        temperature: temperature of the softmax; None if it was not fitted.
        scores: name of a pixel score -> its curves.
        segments: "p_wrong": wrong segments (IoU_adj = 0) at or above a threshold on P(false positive); "p_ood": objects
            that an OoD segment at or above a threshold on P(OoD) touches.
        gradient: how the gradient scores among ``scores`` were computed.
        network_sha256: hash of the network's weights; "" = not known.
        features: gives the statistics of the network's features; None = there are none. A loaded calibration reads
            them from the file beside it when they are first needed.
        statistics_of_frames: name in ``STATISTICS`` -> its value in each image that has it, in order of time as far as
            names tell; the shift monitor compares with them. Older files have none.
        hazards: part on missed hazard cells, as ``ground.hazard_bound`` writes and reads it; None = there is none.

    Raises:
        CalibrationError: the parts have different numbers of classes, or a score is not known.
    """

    network: str
    class_names: tuple[str, ...]
    class_statistics: ClassStatistics | None = None
    summary: Json = field(default_factory=dict)
    temperature: Temperature | None = None
    scores: Mapping[str, ScoreCalibration] = field(default_factory=dict)
    segments: Mapping[str, ScoreCalibration] = field(default_factory=dict)
    gradient: GradientSettings = IN_LOGARITHMS
    network_sha256: str = ""
    features: FeatureSource | None = None
    statistics_of_frames: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    hazards: Json | None = None

    def __post_init__(self) -> None:
        for what, names, known in (("score", self.scores, SCORES), ("segment score", self.segments, _SEGMENTS)):
            for name in names:
                if name not in known:
                    raise CalibrationError(f"{unknown(what, name, known)}; {_ANEW}")
        for name, numbers in self.statistics_of_frames.items():  # names of newer files are not known, and no harm
            if not all(map(math.isfinite, numbers)):
                raise CalibrationError(f"statistics of frames, {name}: expected finite numbers; {_ANEW}")
        if self.class_statistics is not None and len(self.class_statistics) != len(self.class_names):
            raise CalibrationError(
                f"class statistics of {len(self.class_statistics)} classes; the calibration has {len(self.class_names)}"
            )

        for name, score in self.scores.items():
            if len(score.class_recall) not in (0, len(self.class_names)):
                raise CalibrationError(
                    f"{name}: curves of {len(score.class_recall)} classes; the calibration has {len(self.class_names)}"
                )
            if score.groups is not None and len(score.groups.classes) not in (0, len(self.class_names)):
                raise CalibrationError(
                    f"{name}: risk curves of {len(score.groups.classes)} classes; the calibration has "
                    f"{len(self.class_names)}"
                )

    @property
    def grid(self) -> Size | None:
        """(H', W') of the grid that scores and segments were made on; None where an older file does not name it."""
        return calibrated_grid.from_summary(self.summary)

    @property
    def statistics(self) -> NetworkStatistics:
        """The network's statistics, for scores that compare with them."""
        return NetworkStatistics(self.class_statistics, self.features)

    def without_order(self) -> Calibration:
        """The same with ascending means and statistics: the shift monitor takes the images for independent ones."""
        scores = {
            name: replace(score, frame_means=tuple(sorted(score.frame_means))) for name, score in self.scores.items()
        }
        statistics = {name: tuple(sorted(numbers)) for name, numbers in self.statistics_of_frames.items()}
        return replace(self, scores=scores, statistics_of_frames=statistics)

    def describe(self) -> str:
        """The images it was made with, in a few words; "loaded" if the file does not say."""
        names = [str(self.summary[key]) for key in ("data", "split") if self.summary.get(key)]
        images = self.summary.get("images")
        return " ".join(names) + (f", {images} images" if images else "") if names else "loaded"

    def curves(self, name: str) -> Curves | None:
        """The curves of a pixel score, or of "p_wrong" or "p_ood", for threshold policies; None if not calibrated."""
        found = self.segments.get(name, self.scores.get(name))
        return None if found is None else Curves(found.recall, found.risk, found.class_recall, found.groups)

    def check_fits(
        self,
        network: str,
        class_names: Sequence[str],
        gradient: GradientSettings | None = None,
        sha256: str = "",
    ) -> None:
        """Refuse another network; the network's file may have moved.

        Args:
            network, class_names: name and classes of the running network.
            gradient: how it computes gradient scores; None = they are not used.
            sha256: hash of its weights; "" = not known, and then only names are compared.

        Raises:
            CalibrationError: network, classes, weights, or the settings of a calibrated gradient score differ; the text
                names both.
        """
        made, running = MadeFor(self.network, self.class_names, self.network_sha256), (network, tuple(class_names))
        try:
            check_network(made, MadeFor(*running, sha256), "the calibration", _WAY_OUT)
        except JsonError as error:
            raise CalibrationError(str(error).replace("was fitted for", "was made for")) from error
        calibrated = [name for name in self.scores if name in GRADIENT_SCORES]
        if gradient is not None and gradient != self.gradient and calibrated:
            raise CalibrationError(
                f"the calibration of {', '.join(calibrated)} was made with {_words(self.gradient)}; running is "
                f"{_words(gradient)}; use one of the two for both, or {_WAY_OUT}"
            )

    def save(self, path: str | Path) -> None:
        """Write the file; atomic rename, so a broken run leaves nothing half-written. Statistics of features go into a
        file beside it, ``NAME.features.safetensors``.

        Raises:
            CalibrationError: it cannot be written there.
            FeatureStatisticsError: the statistics of features cannot be read or written.
        """
        path = Path(path).expanduser()
        content = {
            "format": FORMAT,
            "version": VERSION,
            "network": portable_name(self.network),
            **({"network_sha256": self.network_sha256} if self.network_sha256 else {}),
            "classes": list(self.class_names),
            "summary": self.summary,
        }
        if self.class_statistics is not None:
            content["class_statistics"] = self.class_statistics.to_json()
        if self.temperature is not None:
            content["temperature"] = self.temperature.to_json()
        content["gradient"] = asdict(self.gradient)
        if self.features is not None:
            content["features"] = _saved_features(self.features, path)
        content["scores"] = {name: score.to_json() for name, score in self.scores.items()}
        if self.statistics_of_frames:
            content["statistics_of_frames"] = {n: list(numbers) for n, numbers in self.statistics_of_frames.items()}
        content["segments"] = {name: curve.to_json() for name, curve in self.segments.items()}
        if self.hazards is not None:
            content["hazards"] = self.hazards
        with raised_as(CalibrationError):
            write_json(content, path, "a calibration", short_lists=True)


def load_calibration(path: str | Path) -> Calibration:
    """Read a file that :meth:`Calibration.save` wrote; ``~`` is the home directory.

    Raises:
        CalibrationError: the file is missing, not JSON, of another format or version, incomplete or damaged.
    """
    path = Path(path).expanduser()
    try:
        data = read_json(
            path, FORMAT, VERSION, "calibration", "trust-seg calibrate DATASET --out FILE makes one", _ANEW
        )
        statistics = data.get("class_statistics")
        names = data["classes"]
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError(f"classes are {names!r}")
        if not isinstance(data["network"], str) or not isinstance(data.get("summary", {}), dict):
            raise ValueError("network or summary has another type")
        if not isinstance(sha256 := data.get("network_sha256", ""), str):
            raise ValueError(f"network_sha256 is {sha256!r}")
        calibrated_grid.from_summary(data.get("summary", {}))  # refuses what is no grid
        return Calibration(
            data["network"],
            tuple(names),
            None if statistics is None else ClassStatistics.from_json(statistics),
            data.get("summary", {}),
            None if data.get("temperature") is None else Temperature.from_json(data["temperature"]),
            {name: ScoreCalibration.from_json(score) for name, score in data.get("scores", {}).items()},
            {name: ScoreCalibration.from_json(found) for name, found in data.get("segments", {}).items()},
            GradientSettings(**data["gradient"]) if "gradient" in data else IN_LOGARITHMS,
            sha256,
            _feature_file(data.get("features"), path, sha256),
            {n: tuple(map(float, numbers)) for n, numbers in data.get("statistics_of_frames", {}).items()},
            data.get("hazards"),
        )
    except JsonError as error:
        raise CalibrationError(str(error)) from error
    except CalibrationError as error:
        raise CalibrationError(f"{path}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, TrustSegError) as error:
        raise CalibrationError(f"{path}: incomplete or damaged ({type(error).__name__}: {error})") from error


def _saved_features(source: FeatureSource, path: Path) -> Json:
    statistics = source()
    file = save_features(statistics, path.with_name(f"{path.stem}.features.safetensors"))
    return {
        "file": file.path.name,
        "sha256": file.sha256,
        "layer": statistics.layer,
        "values": statistics.dimension,
        "bank": len(statistics.bank),
        "pixels": statistics.pixels,
    }


def _feature_file(entry: Json | None, path: Path, network_sha256: str) -> FeatureFile | None:
    if entry is None:
        return None
    name, sha256 = entry["file"], entry["sha256"]
    if not isinstance(name, str) or not isinstance(sha256, str) or Path(name).name != name:
        raise ValueError(
            f"features are in the file {name!r} with sha256 {sha256!r}; expected the name of a file beside"
        )
    return FeatureFile(path.with_name(name), sha256, network_sha256)


def _words(gradient: GradientSettings) -> str:
    return f"p = {gradient.p:g}, variant {gradient.variant}, scale {gradient.scale}"


def network_statistics(
    path: str | Path | None, network: str, class_names: Sequence[str], sha256: str = ""
) -> NetworkStatistics:
    """Statistics from a calibration file of this network; none without a file.

    Raises:
        CalibrationError: as :func:`load_calibration`, or the file is of another network.
    """
    if path is None:
        return NO_STATISTICS
    calibration = load_calibration(path)
    calibration.check_fits(network, class_names, sha256=sha256)
    return calibration.statistics
