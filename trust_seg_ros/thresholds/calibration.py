"""The calibration file of ``trust-seg calibrate``: what labelled data say of a network's scores, as readable JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.meta.errors import MetaModelError
from trust_seg_ros.meta.model_file import check_network, portable_name, read_json, write_json
from trust_seg_ros.types import Json
from trust_seg_ros.uncertainty.standardized import ClassStatistics

FORMAT = "trust_seg_ros/calibration"
VERSION = 1
_WAY_OUT = "calibrate this one (trust-seg calibrate DATASET --out FILE)"


class CalibrationError(TrustSegError):
    """A calibration file that is missing, damaged, cannot be written, or belongs to another network."""


@dataclass(frozen=True)
class Calibration:
    """What was learned of one network from labelled, in-distribution images.

    Attributes:
        network, class_names: of the network.
        class_statistics: of the largest logit by predicted class; None where the network gives no raw logits.
        summary: which data, how many images and pixels.
    """

    network: str
    class_names: tuple[str, ...]
    class_statistics: ClassStatistics | None = None
    summary: Json = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.class_statistics is not None and len(self.class_statistics) != len(self.class_names):
            raise CalibrationError(
                f"class statistics of {len(self.class_statistics)} classes; the calibration has {len(self.class_names)}"
            )

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
        try:
            write_json(content, path, "a calibration")
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
        )
    except MetaModelError as error:
        raise CalibrationError(str(error)) from error
    except CalibrationError as error:
        raise CalibrationError(f"{path}: {error}") from error
    except (KeyError, TypeError, ValueError, OverflowError, TrustSegError) as error:
        raise CalibrationError(f"{path}: incomplete or damaged ({type(error).__name__}: {error})") from error
