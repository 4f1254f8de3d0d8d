import pytest

from trust_seg_ros.ground.caution_settings import CautionSettings
from trust_seg_ros.node.parameters import BY_NAME, NEXT_FRAME, ParameterError
from trust_seg_ros.node.parameters_caution import CAUTION_PARAMETERS, CautionNodeSettings
from trust_seg_ros.node.settings import settings_from


def caution(**values):
    return settings_from({name.replace("__", "."): value for name, value in values.items()}).caution


def test_it_is_off_and_everything_has_the_defaults_of_the_settings():
    assert caution() == CautionNodeSettings(map=CautionSettings(fuse=False))
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
        ("resolution_m", 0.0, "a number from 0.05 to 1"),
        ("range_m", 1e6, "a number from 1 to 200"),
        ("free_below", 1.5, "a number from 0 to 1"),
        ("plane", "flat", "one of fixed, estimated"),
        ("extrinsics_from", "urdf", "one of tf, parameters"),
        ("bonnet_share", 0.9, "a number from 0 to 0.5"),
        ("decay_s", 0.0, "a number from 0.05"),
    ],
)
def test_what_no_map_can_be_made_with_is_refused_by_name(name, value, words):
    with pytest.raises(ParameterError, match=rf"parameter caution\.{name}: .*{words}"):
        settings_from({f"caution.{name}": value})


def test_every_field_of_the_settings_is_a_parameter():
    names = {p.name.removeprefix("caution.") for p in CAUTION_PARAMETERS} - {"caution"} | {"on", "map"}
    assert names - set(CautionNodeSettings.__dataclass_fields__) <= set(CautionSettings.__dataclass_fields__)
    assert names >= set(CautionNodeSettings.__dataclass_fields__)
    assert all(BY_NAME[p.name] is p for p in CAUTION_PARAMETERS)


def test_the_map_remembers_frames_only_in_a_fixed_frame():
    given = caution(caution__range_m=25, caution__fixed_frame="odom", caution__free_below=0.1)
    assert given.map == CautionSettings(range_m=25.0, free_below=0.1, fuse=True)
    assert not caution().map.fuse


def test_a_map_of_too_many_cells_is_refused():
    with pytest.raises(ParameterError, match=r"cells of 0\.05 m: expected at most 2000 cells"):
        caution(caution__range_m=200.0, caution__resolution_m=0.05)


def test_at_a_frame_those_settings_changed_that_say_so():
    before, other = caution(), CautionNodeSettings(
        on=True, base_frame="b", fixed_frame="f", extrinsics_from="parameters", camera_position=(1.0, 2.0, 3.0),
        camera_angles=(0.1, 0.2, 0.3), image="raw", camera_info_max_age_s=9.0, camera_info_scaled=True,
        tf_tolerance_s=0.9, plane="estimated", ground_height=-1.0, ground_normal=(0.0, 0.1, 1.0), gravity="imu",
        map=CautionSettings(20.0, 10.0, 0.5, 1.0, 0.1, bonnet_share=0.2), alpha=0.1, hold_s=3.0,
        ground_classes=("a",), flat_classes=("b",), ignored_classes=("c",),
    )  # fmt: skip
    after = before.changed_to(other)
    for p in CAUTION_PARAMETERS:
        name = p.name.removeprefix("caution.").replace("caution", "on")
        whose = other if p.applies == NEXT_FRAME else before
        of_map = name in CautionSettings.__dataclass_fields__
        expected = getattr(whose.map if of_map else whose, name)
        assert getattr(after.map if of_map else after, name) == expected, name
    assert not after.map.fuse
