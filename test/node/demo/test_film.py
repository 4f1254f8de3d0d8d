"""Films can be played: H.264 where PyAV is there, else MPEG-4, of any size."""

import cv2
import numpy as np
import pytest

from trust_seg_ros.node.demo import film as module
from trust_seg_ros.node.demo.film import FilmError, open_film


def picture(level, size=(91, 121)):
    return np.full((*size, 3), level, np.uint8)


def frames_and_code(path):
    capture = cv2.VideoCapture(str(path))
    code = int(capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little").decode().lower()
    frames = []
    while (read := capture.read())[0]:
        frames.append(read[1])
    return frames, capture.get(cv2.CAP_PROP_FPS), code


@pytest.mark.parametrize(("there", "codes"), [(True, ("h264", "avc1")), (False, ("fmp4", "mp4v"))])
def test_every_picture_comes_back_at_an_even_size(tmp_path, monkeypatch, there, codes):
    if there:
        pytest.importorskip("av")
    else:
        monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    film = open_film(tmp_path / "a film.mp4", 12.5, (91, 121))
    levels = (10, 90, 170, 250)
    for level in levels:
        film.write(picture(level))
    film.close()
    frames, rate, code = frames_and_code(tmp_path / "a film.mp4")
    assert [round(float(frame.mean()), -1) for frame in frames] == [10, 90, 170, 250]
    assert frames[0].shape == (90, 120, 3)
    assert rate == 12.5
    assert code in codes


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_that_is_missing_is_told(tmp_path, monkeypatch, there):
    if there:
        pytest.importorskip("av")
    else:
        monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(FilmError, match=r"no.film\.mp4 cannot be written.*writable"):
        open_film(tmp_path / "no" / "film.mp4", 10, (90, 120))
