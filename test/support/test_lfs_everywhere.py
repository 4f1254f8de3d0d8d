"""A Git LFS pointer in place of any file is named as such, whatever opens it."""

import pytest

from trust_seg_ros.bags.folder import read_metadata
from trust_seg_ros.bags.reader import BagReader
from trust_seg_ros.commands.replay_parameters import replay_parameters
from trust_seg_ros.datasets.image_files import read_image, read_values
from trust_seg_ros.datasets.label_map_file import label_map
from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.fitting.store import SegmentStore
from trust_seg_ros.meta.model_file import load_meta_model
from trust_seg_ros.recordings.replay.inputs import open_recording
from trust_seg_ros.recordings.replay.options import SourceSpec
from trust_seg_ros.recordings.sources import open_source
from trust_seg_ros.segmentation.archive import inspect_archive
from trust_seg_ros.segmentation.compact import load_compact
from trust_seg_ros.segmentation.graphs.engine_file import read_engine
from trust_seg_ros.segmentation.graphs.onnx_graph import read_onnx
from trust_seg_ros.segmentation.huggingface import load_pretrained
from trust_seg_ros.segmentation.labels import load_labels
from trust_seg_ros.training.checkpoints import load_checkpoint

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"4" * 64 + b"\nsize 12345\n"

DOORS = {
    "labels.yaml": load_labels,
    "map.yaml": lambda path: label_map(str(path), load_labels("camvid11")),
    "params.yaml": lambda path: replay_parameters(path, []),
    "metadata.yaml": lambda path: read_metadata(path.parent),
    "bag.mcap": lambda path: open_source(path),
    "bag.db3": lambda path: open_recording(SourceSpec(path)),
    "drive.mp4": lambda path: open_source(path),
    "drive.avi": lambda path: open_recording(SourceSpec(path)),
    "part.mcap": lambda path: BagReader.open(path),
    "image.jpg": read_image,
    "label.png": read_values,
    "meta.json": load_meta_model,
    "_manifest.json": lambda path: SegmentStore.open(path.parent),
    "model.pt2": inspect_archive,
    "model.ts": inspect_archive,
    "model.onnx": read_onnx,
    "model.engine": read_engine,
    "weights.safetensors": lambda path: load_compact("cpu", path),
    "checkpoint.json": lambda path: load_checkpoint(path.parent, None, None),
    "config.json": lambda path: _folder(path),
}


def _folder(config):
    (config.parent / "model.safetensors").write_bytes(POINTER)
    load_pretrained(str(config.parent))


@pytest.mark.parametrize("name", DOORS)
def test_a_pointer_is_named(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(POINTER)
    with pytest.raises(TrustSegError, match=r"Git LFS pointer, not the file itself; run `git lfs pull`") as caught:
        DOORS[name](path)
    assert len(str(caught.value)) < 400 + 2 * len(str(path))
