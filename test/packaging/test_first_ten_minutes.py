"""The first ten minutes: the page and the script that times it do the same, and the stand-ins can be read."""

import re
import subprocess
import sys

import cv2
import pytest
from doc_blocks import blocks_of
from doc_commands import commands_in
from places import ROOT

SCRIPT = ROOT / "tools" / "first_ten_minutes.sh"
TEXT = SCRIPT.read_text("utf-8")
PAGE = (ROOT / "docs" / "first_ten_minutes.md").read_text("utf-8")


def said_by_the_page():
    """(subcommand, its long options) of each line of trust-seg."""
    text = "\n".join(block.text for block in blocks_of(PAGE, "page") if block.language == "bash")
    commands = [words for words in commands_in(text) if words[0] == "trust-seg"]
    return [(words[1], {word for word in words if word.startswith("--")}) for words in commands]


def done_by_the_script():
    network = "--model my_net.pt2 --labels camvid11"
    assert f"network=({network})" in TEXT
    steps = re.findall(r"^step .*? (trust-seg .*)$", TEXT.replace('"${network[@]}"', network), re.MULTILINE)
    return [(words[1], {word for word in words if word.startswith("--")}) for words in map(str.split, steps)]


def test_the_script_does_what_the_page_says():
    assert len(done_by_the_script()) == 6
    assert done_by_the_script() == said_by_the_page()
    install = re.search(r"pip install .*(-c constraints\.txt \"\S+\")", PAGE)[1]
    assert install in TEXT


def test_the_page_has_the_minutes_of_every_step():
    table = PAGE.split("tools/first_ten_minutes.sh -->")[1].split("<!-- end of minutes")[0]
    names = [*re.findall(r'^step "(.*?)" ', TEXT, re.MULTILINE), "all"]
    found = re.findall(r"^\| (.*?) \| \d+:\d\d \|$", table, re.MULTILINE)
    assert found == names


@pytest.mark.parametrize(
    ("words", "said"),
    [(["--photo", "gone.jpg"], "usage:"), (["--fast"], "usage:"), (["--out", "here"], "is there already")],
)
def test_what_cannot_be_is_refused_before_anything_is_done(tmp_path, words, said):
    (tmp_path / "here").mkdir()
    run = subprocess.run(["bash", SCRIPT, *words], cwd=tmp_path, capture_output=True, text=True, timeout=30)
    assert run.returncode == 2
    assert said in run.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["here"]


@pytest.mark.slow
def test_the_stand_ins_are_a_photograph_a_bag_and_a_network(tmp_path):
    from trust_seg_ros import open_source
    from trust_seg_ros.segmentation import load_network

    names = ["street.jpg", "town", "my_net.pt2"]
    (tmp_path / "town").mkdir()  # what is there is left alone
    for _ in range(2):
        words = [sys.executable, ROOT / "tools" / "stand_ins.py", *names]
        subprocess.run(words, cwd=tmp_path, check=True, timeout=300)
        if not any((tmp_path / "town").iterdir()):
            (tmp_path / "town").rmdir()
    photo = cv2.imread(str(tmp_path / "street.jpg"))
    frames = [frame for _, frame in zip(range(3), open_source(str(tmp_path / "town")), strict=False)]
    assert len(frames) == 3
    assert frames[0].image.shape == photo.shape
    assert 0 < frames[1].stamp_ns - frames[0].stamp_ns < 1_000_000_000
    network = load_network(str(tmp_path / "my_net.pt2"), labels="camvid11", device="cpu")
    assert network.infer(photo[..., ::-1].copy()).logits.shape[0] == 11
