"""Files of settings and small models, and what reads them: targets of ``tools/fuzz.py``."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
Run = Callable[[bytes], object]
Seeds = Callable[[], dict[str, bytes]]

_METADATA = b"""rosbag2_bagfile_information:
  version: 8
  storage_identifier: mcap
  duration: {nanoseconds: 1000}
  starting_time: {nanoseconds_since_epoch: 5}
  message_count: 3
  topics_with_message_count:
    - topic_metadata:
        name: /cam
        type: sensor_msgs/msg/Image
        serialization_format: cdr
        offered_qos_profiles:
          - {history: 1, depth: 5, reliability: 1, durability: 2}
        type_description_hash: RIHS01_0
      message_count: 3
  relative_file_paths: [drive_0.mcap]
"""
_PARAMETERS = b"""/**:
  ros__parameters: {use_sim_time: true, lidar: {beams: 64}}
trust_seg:
  ros__parameters:
    thresholds: {pixel: 0.5, pixel_policy: quantile}
    model_input.mean: [0.1, 0.2, 0.3]
    mode: latest
"""
_LABEL_MAP = b"from: camvid11\nmap: {Sky: Sky, Building: 1, 9: ignore, Road: Road}\ndefault: ignore\n"


@cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="fuzz_settings_"))


def _reads(name: str, read: Callable[[Path], object]) -> Run:
    """Writes an input to a file of this name and reads that."""

    def run(data: bytes) -> object:
        path = _folder() / name
        path.write_bytes(data)
        return read(path)

    return run


def _labels(path: Path) -> object:
    from trust_seg_ros.segmentation.labels import load_labels

    return load_labels(path)


def _label_map(path: Path) -> object:
    from trust_seg_ros.datasets.label_map_file import label_map
    from trust_seg_ros.segmentation.labels import load_labels

    return label_map(str(path), load_labels("camvid11"))


def _parameters(path: Path) -> object:
    from trust_seg_ros.commands.replay_parameters import replay_parameters

    return replay_parameters(path, [])


def _rule(data: bytes) -> object:
    from trust_seg_ros.commands.replay_parameters import replay_parameters

    return replay_parameters(None, [data.decode("utf-8", "surrogateescape")])


def _metadata(path: Path) -> object:
    from trust_seg_ros.bags.folder import read_metadata

    return read_metadata(path.parent)


def _meta_model(path: Path) -> object:
    from trust_seg_ros.meta.model_file import load_meta_model

    return load_meta_model(path)


def _manifest(path: Path) -> object:
    from trust_seg_ros.fitting.store import SegmentStore

    return SegmentStore.open(path.parent)


def _weights(path: Path) -> object:
    from trust_seg_ros.segmentation.compact import load_compact

    return load_compact("cpu", path)


def _cached(path: Path) -> object:
    from trust_seg_ros.evaluation.trust.cache import _read

    return _read(path)


def _shipped_meta_model() -> dict[str, bytes]:
    from trust_seg_ros.meta.model_file import SHIPPED

    return {"shipped": Path(SHIPPED).read_bytes()}


def _small_weights() -> dict[str, bytes]:
    """Weights of a network that was not trained."""
    from trust_seg_ros.segmentation.compact import CompactConfig, CompactNet, save_compact

    path = _folder() / "seed.safetensors"
    save_compact(CompactNet(CompactConfig()), path)
    return {"compact": path.read_bytes()}


def _arrays() -> dict[str, bytes]:
    import numpy as np

    found = {}
    for name, save in (("stored", np.savez), ("deflated", np.savez_compressed)):
        stream = io.BytesIO()
        save(stream, plain=np.array(json.dumps({"a": 1})), places=np.arange(12.0).reshape(3, 4))
        found[name] = stream.getvalue()
    return found


def _of(name: str) -> Seeds:
    return lambda: {path.name: path.read_bytes() for path in ROOT.glob(name)}


SETTINGS: dict[str, tuple[Seeds, Run]] = {
    "label set": (_of("config/labels/c*.yaml"), _reads("labels.yaml", _labels)),
    "label map": (lambda: {"map": _LABEL_MAP}, _reads("map.yaml", _label_map)),
    "parameter file": (lambda: {"small": _PARAMETERS}, _reads("parameters.yaml", _parameters)),
    "parameter option": (lambda: {"pixel": b"thresholds.pixel:=0.5", "list": b"model_input.mean:=[1, 2, 3]"}, _rule),
    "bag metadata": (lambda: {"small": _METADATA}, _reads("metadata.yaml", _metadata)),
    "meta model": (_shipped_meta_model, _reads("meta.json", _meta_model)),
    "weights": (_small_weights, _reads("weights.safetensors", _weights)),
    "cache of a study": (_arrays, _reads("cache.npz", _cached)),
}
"""Name -> seeds and what reads an input."""
