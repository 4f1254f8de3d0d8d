"""Model files that went wrong once, kept beside the repository: each gets the right answer."""

import pytest
from places import ROOT

from trust_seg_ros.segmentation import ModelError, ModelFileError, load_network

MODELS = ROOT.parent / "shared" / "cases" / "models"
pytestmark = pytest.mark.skipif(not MODELS.is_dir(), reason=f"the model files are not at {MODELS}")


def load(name):
    return load_network(str(MODELS / name), labels=str(MODELS / "labels5.yaml"), device="cpu")


@pytest.mark.parametrize(
    ("name", "error", "text"),
    [
        ("train.pt2", ModelFileError, "training mode"),
        ("train.ts", ModelFileError, "training mode"),
        ("dev_cuda.ts", ModelError, "traced on a GPU"),
        ("fixview.ts", ModelError, r"takes one size.*input_size"),
        ("badname.pt2", ModelFileError, "damaged: "),
        ("badrecord.ts", ModelFileError, "damaged: "),
        ("argnames.pt2", ModelFileError, "forward_arg_names is 7; expected a list of names"),
    ],
)
def test_refused_by_name_and_reason(name, error, text):
    with pytest.raises(error, match=text) as caught:
        load(name)
    assert name in str(caught.value)
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize(
    ("name", "text"), [("prob255.pt2", "probabilities × 255"), ("sigmoid.pt2", "independent probabilities")]
)
def test_recognised_and_converted(name, text):
    network = load(name)
    assert not network.raw
    assert text in network.remarks[0]


def test_values_of_bytes_in_a_hugging_face_folder():
    pytest.importorskip("transformers", reason="the optional extra 'hf' is not installed")
    network = load_network(str(MODELS / "hf_mean255"), device="cpu")
    assert network.input_spec.mean == (0.485, 0.456, 0.406)
    assert network.input_spec.std == pytest.approx((0.229, 0.224, 0.225))
    assert "are in 0..255" in network.remarks[0]
