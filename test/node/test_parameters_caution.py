import pytest

from trust_seg_ros.node.parameters import BY_NAME, ParameterError
from trust_seg_ros.node.parameters_caution import CAUTION_PARAMETERS, CautionNodeSettings
from trust_seg_ros.node.settings import settings_from


def caution(**values):
    return settings_from({name.replace("__", "."): value for name, value in values.items()}).caution


def test_it_is_off_and_everything_has_the_defaults_of_the_settings():
    assert caution() == CautionNodeSettings()
    assert not caution().on
    assert caution(caution="on").on
    assert caution(caution=True).on, "YAML reads on as true"


def test_lists_of_classes_are_names_with_commas():
    assert caution().ground_classes is None
    given = caution(caution__ground_classes="road, lane marking", caution__ignored_classes="sky")
    assert given.ground_classes == ("road", "lane marking")
    assert given.ignored_classes == ("sky",)
    with pytest.raises(ParameterError, match="names of classes with commas between them, or empty"):
        caution(caution__flat_classes="pavement,,grass")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("base_frame", "", "name of a tf frame, without a slash"),
        ("base_frame", "/base_link", "without a slash in front"),
        ("fixed_frame", "/odom", "or empty"),
        ("camera_position", [1.0, 2.0], "3 numbers from -100 to 100"),
        ("camera_position", [1.0, 2.0, float("nan")], "3 numbers"),
        ("camera_angles", [0.0, 90.0, 0.0], "3 numbers from -6.28"),
        ("ground_normal", [0.0, 0.0, float("inf")], "3 numbers"),
        ("resolution_m", 0.0, "a number from 0.05 to 2"),
        ("range_m", 1e6, "a number from 1 to 200"),
        ("free_below", 1.5, "a number from 0 to 1"),
        ("plane", "flat", "one of fixed, estimated"),
        ("extrinsics_from", "urdf", "one of tf, parameters"),
        ("bonnet", 0.9, "a number from 0 to 0.5"),
        ("decay_s", 0.0, "a number from 0.01"),
    ],
)
def test_what_no_map_can_be_made_with_is_refused_by_name(name, value, words):
    with pytest.raises(ParameterError, match=rf"parameter caution\.{name}: .*{words}"):
        settings_from({f"caution.{name}": value})


def test_every_field_of_the_settings_is_a_parameter():
    names = {p.name.removeprefix("caution.") for p in CAUTION_PARAMETERS} - {"caution"} | {"on"}
    assert names == set(CautionNodeSettings.__dataclass_fields__)
    assert all(BY_NAME[p.name] is p for p in CAUTION_PARAMETERS)
