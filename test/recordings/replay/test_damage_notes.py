"""What is said of a damaged recording does not depend on who met the damage."""

import re
from dataclasses import replace

import pytest
from fault_bags import BEGIN, STEP, image_bytes, storage_file
from fault_networks import NAMES
from ood_models import size_model

pytest.importorskip("rosbags", reason="needs the library rosbags")
pytest.importorskip("pyarrow", reason="needs the library pyarrow")
from fault_bags import IMAGE, STORE
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

from trust_seg_ros.pipeline import PipelineSettings
from trust_seg_ros.recordings.replay.finish import finish
from trust_seg_ros.recordings.replay.options import ReplayOptions, SourceSpec
from trust_seg_ros.recordings.replay.prepare import make_job
from trust_seg_ros.recordings.replay.workers import Bench, Task

FRAMES = 60
ZSTD = bytes.fromhex("28b52ffd")


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    """A bag of compressed chunks, every other of which is damaged."""
    path = tmp_path_factory.mktemp("damaged") / "drive"
    writer = Writer(path, version=9, storage_plugin=StoragePlugin.MCAP)
    writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
    with writer:
        connection = writer.add_connection("/cam", IMAGE, typestore=STORE)
        for i in range(FRAMES):
            at = BEGIN + i * STEP
            writer.write(connection, at, image_bytes(i, at, (160, 240)))
    file = storage_file(path)
    content = bytearray(file.read_bytes())
    begins = [match.start() for match in re.finditer(re.escape(ZSTD), content)]
    for start in begins[1::2]:
        content[start : start + 4] = b"xxxx"
    file.write_bytes(content)
    return path


def notes(bag, out, workers, **settings):
    """Of a replay whose chunks are dealt out to so many workers."""
    pipeline = PipelineSettings(model="fault_networks:colours", meta_model="none", **settings)
    options = ReplayOptions(pipeline, chunk_frames=8)
    job = make_job(SourceSpec(bag), {}, out, options)
    job.prepare()
    benches = [Bench() for _ in range(workers)]
    for chunk in job.chunks:
        benches[chunk.index % workers].do(Task(job, chunk.index, {}))
    for bench in benches:
        bench.close()
    return finish(job).drive.notes


@pytest.mark.slow
def test_every_damage_is_told_once_whoever_met_it(damaged, tmp_path):
    alone = notes(damaged, tmp_path / "one", 1)
    places = [note for note in alone if "is left out" in note]
    assert len(places) >= 2
    assert len(set(alone)) == len(alone)
    assert all(note.count("is left out") == 1 for note in alone if note in places)
    assert notes(damaged, tmp_path / "three", 3) == alone


@pytest.mark.slow
def test_images_of_a_size_that_the_ood_meta_model_does_not_judge_are_told_once(damaged, tmp_path):
    model = replace(size_model("fault_networks:colours", NAMES), image_sizes=((360, 480),))
    model.save(tmp_path / "ood.json")
    told = notes(damaged, tmp_path / "one", 1, ood_meta_model=str(tmp_path / "ood.json"))
    gaps = [note for note in told if "kept without being judged" in note]
    assert len(gaps) == 1
    assert "images are 240×160, the OoD meta model was fitted on images of 480×360" in gaps[0]
    assert notes(damaged, tmp_path / "three", 3, ood_meta_model=str(tmp_path / "ood.json")) == told
    replace(model, image_sizes=((150, 250),)).save(tmp_path / "fits.json")
    fits = notes(damaged, tmp_path / "fits", 1, ood_meta_model=str(tmp_path / "fits.json"))
    assert [note for note in told if note not in fits] == gaps
