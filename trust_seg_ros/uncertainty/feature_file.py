"""The file of feature statistics beside a calibration: safetensors of at most 2 MB with a content hash."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from safetensors import SafetensorError

from trust_seg_ros.support.content_hash import DamagedError, hash_of_file
from trust_seg_ros.support.reading import reason
from trust_seg_ros.support.tensor_file import load_tensors, save_tensors
from trust_seg_ros.uncertainty.errors import FeatureStatisticsError
from trust_seg_ros.uncertainty.feature_statistics import WAY_OUT, FeatureStatistics, Moments

FORMAT = "trust_seg_ros/features"
MOST_BYTES = 2_000_000
_ANEW = "copy it again from where it was made, together with its calibration, or calibrate again"
_TENSORS: Mapping[str, torch.dtype] = {"origin": torch.float32, "residual": torch.float16, "bank": torch.float16}
_NUMBERS = ("alpha", "distance_mean", "distance_std", "energy_mean", "energy_std")


@dataclass(frozen=True)
class FeatureFile:
    """Feature statistics in a file, read when first called.

    Attributes:
        path: the file.
        sha256: hash of the file that the calibration was saved with.
        network_sha256: hash of the network's weights in the calibration; "" = not known.
    """

    path: Path
    sha256: str
    network_sha256: str = ""

    def __call__(self) -> FeatureStatistics:
        """The statistics; read once.

        Raises:
            FeatureStatisticsError: the file is missing, damaged, too large, or not of this calibration or network.
        """
        return _read(self)


def save_features(statistics: FeatureStatistics, path: Path) -> FeatureFile:
    """Write the file, atomically; the same statistics give the same bytes.

    Raises:
        FeatureStatisticsError: it cannot be written.
    """
    s = statistics
    numbers = (s.alpha, s.distance.mean, s.distance.std, s.energy.mean, s.energy.std)
    metadata = {
        "format": FORMAT,
        "layer": s.layer,
        "network": s.network,
        "network_sha256": s.network_sha256,
        "pixels": str(s.pixels),
        **{name: repr(float(value)) for name, value in zip(_NUMBERS, numbers, strict=True)},
    }
    try:
        save_tensors(path, {name: getattr(s, name).to(kind) for name, kind in _TENSORS.items()}, metadata)
        return FeatureFile(path, hash_of_file(path), s.network_sha256)
    except OSError as error:
        raise FeatureStatisticsError(
            f"{path}: feature statistics cannot be written there ({error.strerror}); choose another --out"
        ) from error


@lru_cache(maxsize=4)
def _read(file: FeatureFile) -> FeatureStatistics:
    path = file.path
    try:
        if (size := path.stat().st_size) > MOST_BYTES:
            raise FeatureStatisticsError(
                f"{path}: {size:,} bytes; expected feature statistics of at most {MOST_BYTES:,}; {_ANEW}"
            )
        found = load_tensors(path, _ANEW)
    except FileNotFoundError as error:
        raise FeatureStatisticsError(
            f"{path}: no such file of feature statistics, which the calibration beside it names; {_ANEW}"
        ) from error
    except (DamagedError, OSError, SafetensorError) as error:
        text = str(error) if isinstance(error, DamagedError) else f"{path}: not readable: {reason(error)}; {_ANEW}"
        raise FeatureStatisticsError(text) from error
    if found.sha256 != file.sha256:
        raise FeatureStatisticsError(
            f"{path}: sha256 {found.sha256}, the calibration beside it was saved with {file.sha256}: statistics of "
            f"another run; {_ANEW}"
        )
    statistics = _from_file(path, found.tensors, found.metadata)
    if statistics.network_sha256 != file.network_sha256:
        raise FeatureStatisticsError(
            f"{path}: statistics of other weights: sha256 {statistics.network_sha256 or 'not known'}, the calibration "
            f"is of {file.network_sha256 or 'not known'}; {WAY_OUT}"
        )
    return statistics


def _from_file(path: Path, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> FeatureStatistics:
    try:
        if metadata.get("format") != FORMAT:
            raise ValueError(f"format is {metadata.get('format')!r}, not {FORMAT!r}")
        for name, kind in _TENSORS.items():
            if tensors[name].dtype != kind:
                raise ValueError(f"{name} is {tensors[name].dtype}, not {kind}")
        alpha, *moments = (float(metadata[name]) for name in _NUMBERS)
        return FeatureStatistics(
            metadata["layer"],
            tensors["origin"],
            tensors["residual"],
            alpha,
            tensors["bank"],
            Moments(*moments[:2]),
            Moments(*moments[2:]),
            int(metadata["pixels"]),
            metadata["network"],
            metadata["network_sha256"],
        )
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise FeatureStatisticsError(
            f"{path}: incomplete or damaged feature statistics ({type(error).__name__}: {error}); {_ANEW}"
        ) from error
