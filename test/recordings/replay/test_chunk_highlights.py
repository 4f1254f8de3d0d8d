"""What chunks keep for the report: objects of several cameras, and pictures of the section that is replayed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drive_frames import drive_results
from trust_frames import but

pytest.importorskip("rosbags", reason="needs the library rosbags")
pytest.importorskip("pyarrow", reason="needs the library pyarrow")

from trust_seg_ros.messages.fields import MessageOptions
from trust_seg_ros.messages.render import Rendering
from trust_seg_ros.recordings.replay.chunk_highlights import Evidence
from trust_seg_ros.recordings.replay.frame_highlights import badness, ood_objects
from trust_seg_ros.recordings.replay.frame_numbers import frame_numbers
from trust_seg_ros.recordings.replay.frame_work import Judged
from trust_seg_ros.recordings.replay.job import Job
from trust_seg_ros.recordings.replay.options import CameraTopic, ReplayOptions, SourceSpec
from trust_seg_ros.recordings.replay.plan import plan_chunks

SECOND = 10**9
HOUR = 3600 * SECOND


def a_job(first_ns, stop_ns, end_ns=10 * HOUR):
    cameras, options = (CameraTopic("/left"), CameraTopic("/right", "/right")), ReplayOptions(pictures=120)
    chunks = plan_chunks(first_ns, stop_ns, 100, 32)
    return Job(SourceSpec(Path("drive")), Path("out"), cameras, options, chunks, 0, end_ns, 100, "id")


def judged(result, names):
    numbers = frame_numbers(result, result.maps.entropy.numpy())
    return Judged(Rendering(result, MessageOptions(names, np.zeros((len(names), 3), np.uint8))), numbers)


def most_objects():
    names, results = drive_results()
    result = max(results, key=lambda r: int(r.ood.kept.sum()))
    assert result.ood.kept.any()
    return names, result


def test_cameras_that_see_the_same_at_the_same_time_are_no_obstacle():
    names, result = most_objects()
    evidence = Evidence(a_job(0, 10 * HOUR), names)
    seen = judged(result, names)
    for _ in range(70):  # more objects than are kept, all alike
        evidence.add(seen, "/left", 5 * SECOND)
        evidence.add(seen, "/right", 5 * SECOND)
    assert evidence.objects_total == 140 * int(result.ood.kept.sum())
    assert len(evidence.objects) == 64
    assert {one.camera for one in evidence.objects} == {"/left", "/right"}


def test_the_most_certain_objects_are_kept_with_their_crops():
    names, results = drive_results()
    evidence, expected = Evidence(a_job(0, 10 * HOUR), names), []
    for i in range(60):
        result = results[i % len(results)]
        p_ood = np.random.default_rng(i).random(len(result.ood.p_ood))
        result = but(result, ood=replace(result.ood, p_ood=p_ood))
        evidence.add(judged(result, names), "/left", i * SECOND)
        expected += ood_objects(result, names, "/left", i * SECOND, 0)
    assert len(expected) > 64
    best = sorted(expected, key=lambda o: -o.p_ood)[:64]
    assert evidence.objects == sorted(best, key=lambda o: (o.recorded_ns, o.camera, o.box))


def test_a_section_is_shown_as_closely_as_a_whole_drive():
    names, result = most_objects()
    seen = judged(result, names)
    assert badness(seen.numbers) > 0
    short = Evidence(a_job(5 * HOUR, 5 * HOUR + 60 * SECOND), names)
    for i in range(60):
        short.add(seen, "/left", 5 * HOUR + i * SECOND)
    assert len(short.spread) == 60
    assert len(short.worst.chosen()) == 12
