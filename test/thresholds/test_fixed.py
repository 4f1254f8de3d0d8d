import pytest

from trust_seg_ros.thresholds import ThresholdError, Thresholds


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("unreliable", 1.01),
        ("ood_meta", -0.1),
        ("pixel", float("nan")),
        ("ood", float("nan")),
        ("pixel_score", "entropie"),
        ("ood_score", "softmax"),
        ("ood_min_size", 0),
    ],
)
def test_values_out_of_range_are_named(field, value):
    with pytest.raises(ThresholdError, match=f"{field} = .*{value}"):
        Thresholds(**{field: value})


def test_thresholds_in_force_are_numbers():
    assert Thresholds(ood=0.25).as_dict()["ood"] == 0.25
    assert "pixel_score" not in Thresholds().as_dict()
