import pytest

from trust_seg_ros.meta import shipped
from trust_seg_ros.meta.model_file import SHIPPED
from trust_seg_ros.meta.shipped import shipped_meta


def test_the_embedded_networks_own_is_found():
    assert shipped_meta("embedded", "segments") == SHIPPED


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("model", "kind", "name"),
    [
        ("embedded", "ood", "embedded_ood_meta.json"),
        ("embedded:baseline", "ood", "embedded_baseline_ood_meta.json"),
        ("embedded:baseline", "segments", "embedded_baseline_meta.json"),
    ],
)
def test_others_are_found_by_the_networks_name_when_they_are_there(folder, model, kind, name):
    assert shipped_meta(model, kind) is None
    (folder / name).write_text("{}")
    assert shipped_meta(model, kind) == folder / name


@pytest.mark.parametrize("model", ["hf:nvidia/embedded", "net.pt2", "mine:build", "embedded:../embedded", "/embedded"])
def test_networks_of_ones_own_have_none(folder, model):
    for name in ("embedded_ood_meta.json", "embedded_meta.json"):
        (folder / name).write_text("{}")
    assert shipped_meta(model, "ood") is None
    assert shipped_meta(model, "segments") is None
