"""The pipeline takes what shows a street in any form, and refuses the rest by name."""

import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from drive_bags import CAMERA, write_bag
from PIL import Image

from trust_seg_ros import Frame, PipelineSettings, Section, TrustFrame, TrustPipeline, TrustSegError, open_source
from trust_seg_ros.bags.errors import SourceError
from trust_seg_ros.datasets.errors import DatasetError
from trust_seg_ros.library import InputError, SettingNameError
from trust_seg_ros.library.inputs import pixels_of
from trust_seg_ros.messages.fields import HeaderFields, ImageFields
from trust_seg_ros.pipeline import TrustPipeline as Driving
from trust_seg_ros.recordings.replay.message_types import IMAGE
from trust_seg_ros.recordings.replay.serialise import image_cdr
from trust_seg_ros.synthetic import training_sample
from trust_seg_ros.types import Wanted

MAPS = Wanted(segments=False, ood=False, pixel_flags=False)


@pytest.fixture(scope="module")
def pipeline():
    return TrustPipeline.load("embedded", device="cpu")


@pytest.fixture(scope="module")
def image():
    return training_sample(0, (96, 128))[0]


@pytest.fixture(scope="module")
def files(tmp_path_factory, image):
    """A folder with an image of an odd name, a folder of images, and a video."""
    folder = tmp_path_factory.mktemp("files with spaces")
    cv2.imwrite(str(folder / "Straße & <b>路.png"), image[..., ::-1])
    (folder / "drive").mkdir()
    for k in range(3):
        cv2.imwrite(str(folder / "drive" / f"{k}.png"), np.roll(image, 8 * k, axis=1)[..., ::-1])
    writer = cv2.VideoWriter(str(folder / "clip.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 10, (128, 96))
    for k in range(4):
        writer.write(np.ascontiguousarray(np.roll(image, 8 * k, axis=1)[..., ::-1]))
    writer.release()
    return folder


def classes(result):
    return result.maps.classes.numpy()


def test_one_image_in_every_form(pipeline, image, files):
    plain = Driving(pipeline.network, pipeline.meta)(Frame(image))
    path = files / "Straße & <b>路.png"
    bgr = np.ascontiguousarray(image[..., ::-1])
    forms = [image, Frame(image), path, str(path), Image.fromarray(image), bgr[..., ::-1], Frame(bgr[..., ::-1])]
    forms += [np.dstack([image, image[..., :1]]), Image.open(path)]
    for form in forms:
        result = pipeline(form)
        assert isinstance(result, TrustFrame)
        assert (classes(result) == plain.maps.classes.numpy()).all()
        assert result.trust.p_wrong == pytest.approx(plain.trust.p_wrong)
        assert result.labels is pipeline.labels
    assert pipeline(path).name == str(path)
    assert pipeline(image).name == ""
    frame = Frame(image, 7, "front")
    assert pipeline(frame, wanted=MAPS).frame is frame


def test_grey_images(pipeline, image):
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    three = pipeline(np.dstack([grey] * 3), wanted=MAPS)
    for form in (grey, grey[..., None], Image.fromarray(grey)):
        assert (classes(pipeline(form, wanted=MAPS)) == classes(three)).all()
    assert pipeline(Image.fromarray(image).convert("P"), wanted=MAPS).size == (96, 128)
    assert pipeline(np.zeros((1, 1), np.uint8)).size == (1, 1)


def test_lists_give_lists(pipeline, image, files):
    results = pipeline([image, files / "drive" / "0.png", Frame(image)], wanted=MAPS)
    assert isinstance(results, list)
    assert [(classes(r) == classes(results[0])).all() for r in results] == [True] * 3
    assert pipeline([]) == []
    assert len(pipeline((image,), wanted=MAPS)) == 1
    lazily = pipeline((picture for picture in itertools.repeat(image)), wanted=MAPS)
    assert [r.size for r in itertools.islice(lazily, 2)] == [(96, 128)] * 2


def test_recordings_give_their_frames_one_by_one(pipeline, files):
    folder, video = files / "drive", files / "clip.mp4"
    for path, count, name in ((folder, 3, folder / "1.png"), (video, 4, f"{video}, frame 1")):
        results = pipeline(str(path), wanted=MAPS)
        assert not isinstance(results, list)
        found = list(results)
        assert len(found) == count
        assert found[1].name == str(name)
        assert found[1].frame.stamp_ns == 100_000_000
    assert len(list(pipeline(open_source(files / "clip.mp4", section=Section(0.2)), wanted=MAPS))) == 2
    assert len(list(pipeline(open_source(files / "drive"), wanted=MAPS))) == 3
    opened = pipeline(open_source(video, rate=5), wanted=MAPS)
    assert next(opened).name == f"{video}, frame 0"
    assert next(pipeline("synthetic", wanted=MAPS)).size == (360, 480)


def test_a_recording_begins_anew(pipeline, files, monkeypatch):
    calls = []
    monkeypatch.setattr(pipeline, "reset", lambda: calls.append("reset"))
    list(pipeline(files / "drive", wanted=MAPS))
    assert calls == ["reset"]
    pipeline([np.zeros((8, 8), np.uint8)], wanted=MAPS)
    assert calls == ["reset"]


def test_a_bag_gives_its_frames(pipeline, tmp_path, image):
    message = image_cdr(ImageFields("rgb8", image), HeaderFields(3, 0, "front"))
    bag = write_bag(tmp_path / "drive", [(CAMERA, IMAGE, 4_000_000_000 + k, message) for k in range(2)])
    results = list(pipeline(bag, wanted=MAPS))
    assert len(results) == 2
    assert (results[1].frame.image == image).all()
    assert (results[1].frame.stamp_ns, results[1].frame.frame_id) == (3_000_000_000, "front")


REFUSED = [
    (None, "was given None; it takes the path of an image"),
    (True, "was given True"),
    (1.5, "was given 1.5"),
    (-1, "was given -1"),
    (b"\x89PNG", "given bytes; .*cv2.imdecode"),
    (torch.zeros(3, 4, 4), r"given torch.Tensor; .*permute\(1, 2, 0\)"),
    ({"a": 1}, r"given dict; .*list\(x.values\(\)\)"),
    (object(), "given object; it takes .* a list of images"),
    (np.zeros((0, 4, 3), np.uint8), "has no pixels"),
    (np.zeros((2, 4, 4, 3), np.uint8), r"several images; .*pipeline\(list\(array\)\)"),
    (np.zeros((3, 40, 50), np.uint8), r"channels first; .*transpose\(1, 2, 0\)"),
    (np.zeros((40, 50, 2), np.uint8), r"\(40, 50, 2\) of uint8 is no picture"),
    (np.zeros(7, np.uint8), r"\(7,\) of uint8 is no picture"),
    (np.zeros((4, 4, 3)), r"of float64 has another type; .*255 \* array"),
    (np.zeros((4, 4), np.uint16), "of uint16 has another type; .*array >> 8"),
    (np.zeros((4, 4), bool), "a mask is no camera image"),
    (np.zeros((4, 4, 3), int), "array.astype"),
    (np.array("x"), "is no picture"),
    (Frame(np.zeros((4, 4), np.uint8)), r"image of the Frame is uint8 \(4, 4\)"),
    (Frame("street.png"), "image of the Frame is str"),
    (Image.fromarray(np.zeros((4, 4), np.float32)), "mode F has values beyond 8 bits"),
    ([None], "image 0 of the list: it is None; expected single images"),
    ([np.zeros((4, 4))], "image 0 of the list: an array .* has another type"),
    ([[1, 2], [3, 4]], "image 0 of the list: it is a list"),
]


@pytest.mark.parametrize(("given", "text"), REFUSED, ids=[str(k) for k in range(len(REFUSED))])
def test_everything_else_is_refused_by_name(pipeline, given, text):
    with pytest.raises(InputError, match=text) as caught:
        pipeline(given)
    assert isinstance(caught.value, TrustSegError)


def test_missing_and_damaged_files_are_named(pipeline, files, tmp_path):
    with pytest.raises(SourceError, match=r"nowhere.png does not exist; a source is"):
        pipeline(tmp_path / "nowhere.png")
    (tmp_path / "cut.png").write_bytes((files / "drive/0.png").read_bytes()[:400])
    with pytest.raises(DatasetError, match=r"cut.png: not a readable image"):
        pipeline(tmp_path / "cut.png")
    (tmp_path / "text.jpg").write_text("no picture")
    with pytest.raises(DatasetError, match=r"text.jpg: not a readable image"):
        pipeline(tmp_path / "text.jpg")
    with pytest.raises(SourceError, match="no camera /dev/video97"):
        pipeline(97)
    with pytest.raises(
        InputError, match=r"image 0 of the list: it holds many frames; .* give a folder, video or bag alone"
    ):
        pipeline([files / "drive"])


def test_pixels_of_keeps_a_plain_image():
    image = np.zeros((4, 5, 3), np.uint8)
    assert np.shares_memory(pixels_of(image), image)


def test_settings_are_words_of_the_call(pipeline):
    loaded = TrustPipeline.load(device="cpu", meta_model="none", ood_meta_model="none")
    assert loaded.meta is None
    again = TrustPipeline.load(PipelineSettings(device="cpu", meta_model="none"), ood_meta_model="none", grid="image")
    assert (again.meta, again.ood_model, again.grid.kind) == (None, None, "image")
    assert isinstance(pipeline, Driving)
    assert repr(pipeline) == "TrustPipeline('embedded', 11 classes of 'camvid11', its meta model)"


@pytest.mark.parametrize("load", [TrustPipeline.load])
def test_misspelt_settings_offer_the_nearest(load):
    with pytest.raises(SettingNameError, match=r"no setting 'devcie'; choose one of: .*; did you mean device"):
        load("embedded", devcie="cpu")
    with pytest.raises(SettingNameError, match="'unreliable' is chosen with each call"):
        load(unreliable=0.3)
    with pytest.raises(InputError, match=r"the model is Linear; .* TrustPipeline\(network, meta\)"):
        load(torch.nn.Linear(1, 1))
    with pytest.raises(TrustSegError, match="no-such"):
        load(Path("no-such.pt2"))
