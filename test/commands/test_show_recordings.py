"""``trust-seg show`` with frames of a recording, and with unknown objects."""

import cv2
import pytest
from json_schemas import run_json

from trust_seg_ros.cli import main
from trust_seg_ros.synthetic import DriveSettings, SyntheticDrive

SIZE, RATE, FRAMES = (120, 160), 10, 25
SOFA = DriveSettings(size=SIZE, seed=3, unknowns=("sofa",), unknown_rate=6.0)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    path = tmp_path_factory.mktemp("films") / "my drive.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), RATE, SIZE[::-1])
    drive = SyntheticDrive(SOFA)
    for index in range(FRAMES):
        writer.write(drive.frame(index).image[..., ::-1])
    writer.release()
    return path


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_frame_of_a_film_every_so_many_seconds(film, tmp_path, capsys):
    found = run_json(capsys, "show", film, "--every", "1", "--out", tmp_path / "pics")
    names = [f"my drive_0000{second}.0s.trust.png" for second in range(3)]
    assert sorted(path.name for path in (tmp_path / "pics").iterdir()) == names
    assert [picture["picture"] for picture in found["pictures"]] == [str(tmp_path / "pics" / name) for name in names]
    drawn = cv2.imread(str(tmp_path / "pics" / names[0]))
    assert drawn.shape[1] >= 600


def test_no_more_frames_than_asked_for(film, tmp_path, capsys):
    found = run_json(capsys, "show", film, "--every", "0.1", "--frames", "2", "--out", tmp_path / "few")
    assert len(found["pictures"]) == 2


def test_unknown_objects_are_listed_outlined_and_counted(film, tmp_path, capsys):
    image = tmp_path / "sofa.png"
    drive = SyntheticDrive(SOFA)
    scene = max((drive.frame(index) for index in range(0, FRAMES, 6)), key=lambda frame: int((frame.unknown > 0).sum()))
    cv2.imwrite(str(image), scene.image[..., ::-1])
    found = run_json(capsys, "show", image, "--out", tmp_path / "s.png")["pictures"][0]["unknown_objects"]
    assert found, "the sofa is not found"
    assert [row["p_ood"] for row in found] == sorted((row["p_ood"] for row in found), reverse=True)
    assert all(0 <= row["left"] < row["right"] <= SIZE[1] for row in found)
    assert main(["show", str(image), "--out", str(tmp_path / "t.png")]) == 0
    text = capsys.readouterr().out
    assert f"of {len(found)} unknown objects" in text
    assert f", {len(found)} unknown object" in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--truth", "."), "there is no ground truth of"),
        (("--out", "one.png"), "is one file for the frames of"),
        (("--every", "0"), "--every 0: expected seconds, at least 0.1"),
        (("--frames", "0"), "--frames 0: expected at least 1"),
    ],
)
def test_what_does_not_go_with_a_recording_is_refused(film, words, said, capsys):
    assert main(["show", str(film), *words]) == 2
    assert said in capsys.readouterr().err


def test_a_bag_without_images_is_refused(tmp_path, capsys):
    (tmp_path / "bag").mkdir()
    (tmp_path / "bag" / "metadata.yaml").write_text("nonsense: 1\n")
    assert main(["show", "bag", "--out", "pics"]) == 2
    assert "bag" in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.png"))
