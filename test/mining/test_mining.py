"""From recordings to chosen moments: how much there is to learn, one moment of each scene, a table that goes on."""

import dataclasses

import cv2
import numpy as np
import pytest
from drive_bags import CAMERA, write_bag
from slow_films import film, view

from trust_seg_ros import TrustPipeline
from trust_seg_ros.datasets.errors import DatasetError
from trust_seg_ros.messages.fields import HeaderFields, ImageFields
from trust_seg_ros.mining.contact_sheet import ContactSheet, write_csv
from trust_seg_ros.mining.errors import MiningError
from trust_seg_ros.mining.information import information
from trust_seg_ros.mining.likeness import likeness
from trust_seg_ros.mining.origins import open_origin
from trust_seg_ros.mining.second_look import moments
from trust_seg_ros.mining.selection import SelectionSettings, select
from trust_seg_ros.mining.survey import Glance, Surveyor, survey
from trust_seg_ros.recordings.refusals import Refusals
from trust_seg_ros.recordings.replay.message_types import IMAGE
from trust_seg_ros.recordings.replay.serialise import image_cdr
from trust_seg_ros.support.resumable import FolderInUseError, FolderLock
from trust_seg_ros.types import LogitMaps

SETTINGS = {"network": "embedded:synthetic"}


@pytest.fixture(scope="module")
def pipeline():
    return Surveyor.load("embedded:synthetic", device="cpu")


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """A film of two views, three seconds each."""
    return film(tmp_path_factory.mktemp("films") / "Straße mit Ampel.avi", (3, 11), 30)


def looked_at(pipeline, path, table, **options):
    origins = [open_origin(str(path))]
    return origins, survey(pipeline, origins, table, SETTINGS, **options)


def glance(number, information=1.0, vector=(1.0, 0.0), stamp_ns=None, name="f", origin=0):
    return Glance(origin, number, name, stamp_ns, information, "", np.array(vector))


def test_information_is_the_formula_and_does_not_depend_on_size(pipeline):
    result = pipeline(view(3))
    table, trust, ood = result.on_grid.segments, result.trust, result.on_grid.ood
    wrong = sum(p * (s / table.ids.size) ** 0.5 for p, s in zip(trust.p_wrong, table.sizes, strict=True))
    assert information(result).wrong == pytest.approx(wrong)
    p_ood = np.ones(len(ood.kept)) if ood.p_ood is None else np.nan_to_num(ood.p_ood, nan=1.0)
    assert information(result).unknown == pytest.approx((p_ood * (ood.sizes / ood.ids.size) ** 0.5)[ood.kept].sum())
    large = cv2.resize(view(3), None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    assert information(pipeline(large)).total == pytest.approx(information(result).total, rel=0.25)


def test_a_plain_view_teaches_less_than_noise(pipeline):
    noise = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    assert information(pipeline(noise)).total > 2 * information(pipeline(view(3))).total


def test_without_a_meta_model_entropy_stands_in():
    alone = Surveyor.load("embedded:synthetic", device="cpu", meta_model="none", ood_meta_model="none")
    result = alone(view(3))
    table = result.on_grid.segments
    expected = (table.column("E") * np.sqrt(table.sizes / table.ids.size)).sum()
    assert information(result).wrong == pytest.approx(expected)
    assert "unreliable" not in information(result).why
    assert "% of the pixels flagged" in information(result).why


def test_views_of_one_scene_are_alike_and_have_length_one(pipeline):
    first, other = (pipeline.glance(0, 0, "a", None, pipeline(view(seed)).frame).vector for seed in (3, 11))
    noisy = np.clip(view(3).astype(int) + np.random.default_rng(1).integers(-2, 3, view(3).shape), 0, 255)
    again = pipeline.glance(0, 0, "a", None, pipeline(noisy.astype(np.uint8)).frame).vector
    assert np.linalg.norm(first) == pytest.approx(1, abs=1e-5)
    assert np.linalg.norm(first - again) < 0.05 < np.linalg.norm(first - other)


def test_a_network_without_features_is_known_by_its_classes(pipeline):
    result = pipeline(view(3))
    answer = pipeline.answer
    blind = LogitMaps(answer.logits, answer.size)
    maps, classes = result.on_grid.maps, len(pipeline.labels)
    shares = np.bincount(maps.classes.numpy().ravel(), minlength=classes + 1) / maps.classes.numel()
    assert likeness(blind, maps, classes) == pytest.approx(np.sqrt(shares), abs=1e-6)


def test_a_slow_scene_brings_one_moment_and_a_jump_another(pipeline, scenes, tmp_path):
    origins, seen = looked_at(pipeline, scenes, tmp_path / "seen", every_s=0.5)
    assert len(seen) == 12
    picks = select(seen, SelectionSettings(10))
    assert len(picks) == 2
    assert {pick.glance.number < 30 for pick in picks} == {True, False}
    found = list(moments(pipeline, origins, picks))
    assert {moment.rank for moment in found} == {1, 2}
    assert all(moment.source == str(scenes) and moment.why and 0 < moment.score < 1 for moment in found)
    for moment in found:
        seed = 3 if moment.stamp_ns < 3_000_000_000 else 11
        away = np.abs(moment.result.frame.image.astype(int) - view(seed)).mean()
        assert away < 12  # the film's compression
        assert moment.name.startswith("Straße mit Ampel 0000")


def test_a_budget_below_the_scenes_takes_the_one_with_most_to_learn(pipeline, scenes, tmp_path):
    _, seen = looked_at(pipeline, scenes, tmp_path / "seen", every_s=1.0)
    (pick,) = select(seen, SelectionSettings(1))
    assert pick.glance.information == max(glance.information for glance in seen)


def test_close_in_time_is_one_however_different():
    seen = [glance(k, 1 + 0.1 * (k == 3), np.eye(9)[k], k * 10**8) for k in range(9)]
    assert [pick.glance.number for pick in select(seen, SelectionSettings(9, apart_s=1.0))] == [3]
    assert len(select(seen, SelectionSettings(9, apart_s=0.3))) == 3
    assert len(select([dataclasses.replace(g, stamp_ns=None) for g in seen], SelectionSettings(9))) == 9


def test_stamps_of_today_do_not_lose_their_tenths():
    start = 1_764_500_000 * 10**9
    seen = [glance(k, 1.0, np.eye(3)[k], start + k * 10**9) for k in range(3)]
    assert len(select(seen, SelectionSettings(3, apart_s=1.0))) == 3


def test_names_are_files_names_and_each_is_there_once():
    names = ["a/b", "A_b", "a_b", " .", "naïve 東京"]
    seen = [glance(k, 5 - k, np.eye(5)[k], name=name) for k, name in enumerate(names)]
    found = [pick.glance.name for pick in select(seen, SelectionSettings(5))]
    assert found == ["a_b", "A_b 2", "a_b 3", "frame", "naïve 東京"]


@pytest.mark.parametrize("budget", [0, -1])
def test_a_budget_of_nothing_is_refused(budget):
    with pytest.raises(MiningError, match=f"a budget of {budget} frames.*expected 1 or more"):
        select([glance(0)], SelectionSettings(budget))


def test_no_frame_is_refused():
    with pytest.raises(MiningError, match="no frame to choose from"):
        select([], SelectionSettings(3))


def test_nothing_to_learn_scores_nothing():
    (pick,) = select([glance(0, 0.0)], SelectionSettings(3))
    assert pick.score == 0


class Counting:
    """Counts what the network is asked, and stops it after some."""

    def __init__(self, pipeline, monkeypatch, most=None):
        self.number, ask = 0, pipeline.network.infer

        def infer(image):
            if self.number == most:
                raise KeyboardInterrupt
            self.number += 1
            return ask(image)

        monkeypatch.setattr(pipeline.network, "infer", infer)


def test_a_stopped_look_goes_on_and_a_torn_line_is_looked_at_again(pipeline, scenes, tmp_path, monkeypatch):
    _, whole = looked_at(pipeline, scenes, tmp_path / "whole", every_s=1.0)
    with monkeypatch.context() as patch:
        Counting(pipeline, patch, most=3)
        with pytest.raises(KeyboardInterrupt):
            looked_at(pipeline, scenes, tmp_path / "seen", every_s=1.0)
    (file,) = (tmp_path / "seen").glob("*.jsonl")
    file.write_text(file.read_text()[:-40])
    with monkeypatch.context() as patch:
        asked = Counting(pipeline, patch)
        _, found = looked_at(pipeline, scenes, tmp_path / "seen", every_s=1.0)
        assert asked.number == len(whole) - 2
        looked_at(pipeline, scenes, tmp_path / "seen", every_s=1.0)
        assert asked.number == len(whole) - 2
    assert [(g.number, g.name, g.why) for g in found] == [(g.number, g.name, g.why) for g in whole]
    assert [g.information for g in found] == pytest.approx([g.information for g in whole])


def test_other_settings_and_a_damaged_table_are_looked_at_anew(pipeline, scenes, tmp_path, monkeypatch):
    origins, seen = looked_at(pipeline, scenes, tmp_path, every_s=2.0)
    with monkeypatch.context() as patch:
        asked = Counting(pipeline, patch)
        survey(pipeline, origins, tmp_path, {"network": "another"}, every_s=2.0)
        assert asked.number == len(seen)
        for file in tmp_path.glob("*.jsonl"):
            file.write_bytes(b"\xff\x00 nonsense")
        looked_at(pipeline, scenes, tmp_path, every_s=2.0)
        assert asked.number == 2 * len(seen)


@pytest.mark.parametrize(("every_s", "expected"), [(0.25, [0, 3, 5, 8, 10]), (0.0, list(range(11))), (0.5, [0, 5, 10])])
def test_frames_between_the_steps_do_not_make_them_longer(pipeline, tmp_path, monkeypatch, every_s, expected):
    short = film(tmp_path / "short.avi", (3,), 11)
    monkeypatch.setattr(pipeline, "glance", lambda _, number, name, stamp, frame: glance(number, stamp_ns=stamp))
    _, seen = looked_at(pipeline, short, tmp_path / "seen", every_s=every_s)
    assert [g.number for g in seen] == expected


def test_two_runs_do_not_share_a_table(pipeline, scenes, tmp_path):
    with FolderLock(tmp_path), pytest.raises(FolderInUseError, match="another run writes into this folder"):
        looked_at(pipeline, scenes, tmp_path)


def test_a_recording_that_has_changed_is_told(pipeline, scenes, tmp_path):
    origins, seen = looked_at(pipeline, scenes, tmp_path, every_s=1.0)
    late = [pick for pick in select(seen, SelectionSettings(2)) if pick.glance.number >= 30]
    shorter = [open_origin(str(film(tmp_path / "short.avi", (3,), 5)))]
    with pytest.raises(MiningError, match="is no longer there, so the recording has changed"):
        list(moments(pipeline, shorter, late))
    assert len(list(moments(pipeline, origins, late))) == 1


def test_an_unreadable_image_is_left_out_and_told(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), view(3))
    (tmp_path / "b.png").write_bytes(b"no image")
    cv2.imwrite(str(tmp_path / "c.png"), view(11))
    told = []
    origin = open_origin(str(tmp_path), refusals=Refusals(told.append))
    assert [(number, name) for number, name, _, _ in origin.frames()] == [(0, "a"), (2, "c")]
    assert len(told) == 1
    assert "b.png" in told[0]
    assert [number for number, _ in origin.some({1, 2})] == [2]


def test_images_of_a_labelled_data_set(tmp_path):
    for split, seeds in (("train", (1, 2)), ("val", (3,))):
        for kind in ("images", "labels"):
            (tmp_path / split / kind).mkdir(parents=True)
            for seed in seeds:
                cv2.imwrite(str(tmp_path / split / kind / f"{seed}.png"), view(seed)[..., 0])
    assert [path.stem for path in open_origin(str(tmp_path), split="train").images] == ["1", "2"]
    assert [path.stem for path in open_origin(str(tmp_path / "val")).images] == ["3"]
    with pytest.raises(DatasetError, match="no split 'test'"):
        open_origin(str(tmp_path), split="test")


def test_a_bag_with_the_times_of_its_camera(pipeline, tmp_path):
    start = 1_764_500_000
    bag = write_bag(
        tmp_path / "bag",
        [
            (
                CAMERA,
                IMAGE,
                (start + k) * 10**9 + 7,
                image_cdr(ImageFields("rgb8", image), HeaderFields(start + k, 5, "c")),
            )
            for k, image in enumerate((view(3), view(11), view(11)))
        ],
    )
    origins, seen = looked_at(pipeline, bag, tmp_path / "seen", every_s=0.5)
    assert origins[0].topic == CAMERA
    assert [g.stamp_ns for g in seen] == [(start + k) * 10**9 + 5 for k in range(3)]
    found = list(moments(pipeline, origins, select(seen, SelectionSettings(3))))
    assert {moment.name for moment in found} < {f"bag 0000{k}.000s" for k in range(3)}
    assert len(found) == 2
    assert (found[0].result.frame.image == view(3)).all()


def test_what_has_no_end_is_refused():
    with pytest.raises(MiningError, match="the drawn drive has no end"):
        open_origin("synthetic")


def test_the_sheet_shows_the_best_and_the_table_lists_all(pipeline, scenes, tmp_path):
    origins, seen = looked_at(pipeline, scenes, tmp_path / "seen", every_s=1.0)
    picks, sheet = select(seen, SelectionSettings(2)), ContactSheet(most=1)
    assert sheet.picture().shape[0] < 20
    assert len(list(sheet.watching(moments(pipeline, origins, picks)))) == 2
    height, width, _ = sheet.picture().shape
    assert 300 < height < 420 < width
    write_csv(tmp_path / "moments.csv", picks, [origin.name for origin in origins])
    head, *rows = (tmp_path / "moments.csv").read_text().splitlines()
    assert head == "rank,name,source,seconds,score,why"
    assert [row.split(",")[0] for row in rows] == ["1", "2"]


def test_the_answer_is_that_of_the_library(pipeline):
    plain = TrustPipeline.load("embedded:synthetic", device="cpu")(view(3))
    found = pipeline.judged(plain.frame)
    assert (found.maps.classes.numpy() == plain.maps.classes.numpy()).all()
    assert found.trust.p_wrong == pytest.approx(plain.trust.p_wrong)
