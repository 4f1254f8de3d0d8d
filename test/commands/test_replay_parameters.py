"""The node's parameters, from the files and words that the node takes, for a replay."""

import pytest
import yaml
from places import ROOT

from trust_seg_ros import cli
from trust_seg_ros.commands.replay_parameters import read_parameters, replay_parameters
from trust_seg_ros.node.parameter import ParameterError
from trust_seg_ros.node.parameters import TABLE
from trust_seg_ros.node.settings import settings_from

SHIPPED = ROOT / "config" / "trust_seg.yaml"
NESTED = """
    thresholds:
      pixel: 0.4
      pixel_policy: quantile
    gradient: {label: uniform}
"""
DOTTED = """
    thresholds.pixel: 0.4
    thresholds.pixel_policy: quantile
    gradient.label: uniform
"""
MIXED = """
    thresholds.pixel: 0.4
    thresholds: {pixel_policy: quantile}
    gradient: {label: uniform}
"""
EXPECTED = {"thresholds.pixel": 0.4, "thresholds.pixel_policy": "quantile", "gradient.label": "uniform"}


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "parameters.yaml"
        path.write_text(text, "utf-8")
        return path

    return write


def of_node(name, parameters="    thresholds.pixel: 0.4\n"):
    return f"{name}:\n  ros__parameters:\n{parameters}\n"


def test_without_anything_the_defaults_hold():
    assert replay_parameters(None, []) == settings_from({})


def test_the_shipped_file_holds_the_defaults():
    assert replay_parameters(SHIPPED, []) == settings_from({})
    assert read_parameters(SHIPPED).keys() == {parameter.name for parameter in TABLE}


@pytest.mark.parametrize("parameters", [NESTED, DOTTED, MIXED], ids=["nested", "dotted", "mixed"])
@pytest.mark.parametrize("node", ["/**", "/*", "trust_seg", "/trust_seg", "/**/trust_seg"])
def test_names_of_the_node_and_of_parameters_may_have_every_shape(file, node, parameters):
    path = file(of_node(f'"{node}"', parameters))
    assert read_parameters(path) == EXPECTED
    found = replay_parameters(path, [])
    assert found == settings_from(EXPECTED)
    assert (found.thresholds.pixel.policy, found.thresholds.pixel.value, found.gradient_label) == (
        "quantile",
        0.4,
        "uniform",
    )


@pytest.mark.parametrize(("first", "expected"), [("/**", 0.4), ("trust_seg", 0.1)])
def test_the_later_section_wins(file, first, expected):
    """As in ROS 2, which goes through the sections in their order."""
    sections = {
        "/**": of_node("/**", "    thresholds.pixel: 0.1\n    ood.min_size: 7\n"),
        "trust_seg": of_node("trust_seg"),
    }
    second = next(name for name in sections if name != first)
    found = read_parameters(file(sections[first] + sections[second]))
    assert found == {"thresholds.pixel": expected, "ood.min_size": 7}


def test_other_nodes_say_nothing(file):
    text = of_node("/camera/driver", "    exposure: 3\n") + of_node("/trust_seg/other", "    thresholds.pixel: 0.9\n")
    assert read_parameters(file(text + of_node("trust_seg"))) == {"thresholds.pixel": 0.4}


def test_parameters_of_every_node_of_ros_are_left_to_it(file):
    parameters = """
    use_sim_time: true
    start_type_description_service: false
    thresholds.pixel: 0.4
    qos_overrides:
      /trust_seg/entropy:
        publisher: {depth: 3, reliability: best_effort}
"""
    path = file(of_node("trust_seg", parameters))
    assert read_parameters(path) == {"thresholds.pixel": 0.4}
    assert replay_parameters(path, []).thresholds.pixel.value == 0.4


def test_single_parameters_win_and_the_last_of_them_most(file):
    path = file(of_node("trust_seg", DOTTED))
    found = replay_parameters(path, ["thresholds.pixel:=0.7", "entropy_encoding:=32FC1", "thresholds.pixel:=0.8"])
    assert found == settings_from(EXPECTED | {"thresholds.pixel": 0.8, "entropy_encoding": "32FC1"})


@pytest.mark.parametrize(
    ("text", "attribute", "value"),
    [
        ("publish_all_segments:=true", "every_segment", True),
        ("publish_all_segments:=on", "every_segment", True),
        ("overlay.alpha:=1", "overlay_alpha", 1.0),
        ("max_image_pixels:=1000", "max_image_pixels", 1000),
        ("queue_size:=7", "queue_size", 7),
    ],
)
def test_words_become_the_types_of_their_parameters(text, attribute, value):
    found = getattr(replay_parameters(None, [text]), attribute)
    assert found == value
    assert type(found) is type(value)


def test_values_are_read_as_ros_reads_them():
    found = replay_parameters(
        None,
        ["model:='007'", "labels:=\"off\"", "half:=off", "calibration:=''", "model_input.mean:=[0.1, 0.2, 1.0]",
         "model_input.std:=[1, 1, 2]", "model_input.override_normalisation:=true", "trust_seg:overlay.alpha:=1"],
    )  # fmt: skip
    pipeline = found.pipeline
    assert (pipeline.model, pipeline.labels, pipeline.half, pipeline.calibration) == ("007", "off", "off", "")
    assert (pipeline.mean, pipeline.std, found.overlay_alpha) == ((0.1, 0.2, 1.0), (1.0, 1.0, 2.0), 1.0)
    assert all(type(value) is float for value in (*pipeline.std, found.overlay_alpha))


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["thresholds.pixl:=0.5"], r"no parameter 'thresholds\.pixl'; did you mean thresholds\.pixel.*params"),
        (["entropy_encodng:=32FC1"], "did you mean entropy_encoding"),
        (["xyz:=1"], r"no parameter 'xyz' \(trust-seg params"),
        (["thresholds.pixel=0.5"], "expected name:=value"),
        (["thresholds.pixel"], "expected name:=value"),
        (["thresholds.pixel:=high"], r"thresholds\.pixel: 'high' \(string\), expected a number"),
        (["thresholds.pixel:="], r"thresholds\.pixel: no value after :=; an empty text is written"),
        (["model:=007"], r"model: 7 \(integer\), expected text"),
        (["calibration:=a: [b"], "is not a value for ROS"),
        (["calibration:=~/mine.json extra:"], "is not a value for ROS"),
        (["model_input.mean:=[1, 2.0, 3]"], "a list of one type is expected, found float and int"),
        (["treshold:=0.3"], r"no parameter 'treshold'; did you mean ood\.threshold"),
        (["trust_seg_node:thresholds.pixel:=0.3"], "is for a node /trust_seg_node, this one is /trust_seg"),
        (["thresholds.pixel:=true"], "expected a number"),
        (["overlay.alpha:=1.5"], r"overlay\.alpha: 1\.5 .*from 0 to 1"),
        (["overlay.alpha:=.nan"], r"overlay\.alpha: nan"),
        (["queue_size:=2.5"], r"queue_size: 2\.5 \(double\), expected an integer"),
        (["entropy_encoding:=16UC1"], r"'16UC1'.*one of mono8, 32FC1"),
        (["model_input.mean:=[1, 2]"], "expected 3 numbers"),
        (["model_input.mean:=[1, 2"], "is not a value for ROS"),
    ],
)
def test_a_mistake_is_named_with_what_was_expected(words, text):
    with pytest.raises(ParameterError, match=text):
        replay_parameters(None, words)


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ("    thresholds: {pixl: 0.5}\n", r"no parameter 'thresholds\.pixl'; did you mean thresholds\.pixel"),
        ('    thresholds.pixel: "0.5"\n', r"'0\.5' \(string\), expected a number"),
        ("    publish_all_segments: 1\n", "expected true or false"),
        ("    overlay: {alpha: -1}\n", "from 0 to 1"),
    ],
)
def test_a_mistake_in_a_file_is_named_too(file, parameters, text):
    with pytest.raises(ParameterError, match=text):
        replay_parameters(file(of_node("trust_seg", parameters)), [])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [1, 2", "not a readable parameter file"),
        ("\ta: 1", "not a readable parameter file"),
        ("just words", "expected nodes with ros__parameters"),
        ("- 1\n- 2\n", "expected nodes with ros__parameters"),
        ("", "says nothing to the node /trust_seg: its sections are none"),
        ("trust_seg:\n  thresholds.pixel: 0.4\n", "trust_seg/thresholds.pixel has no ros__parameters"),
        ("trust_seg:\n  thresholds: {pixel: 0.4}\n", "trust_seg/thresholds/pixel has no ros__parameters"),
        ("thresholds.pixel: 0.01\n", "thresholds.pixel has no ros__parameters"),
        (
            "trust_seg:\n  ros__parameter: {thresholds.pixel: 0.01}\n",
            "trust_seg/ros__parameter/thresholds.pixel has no",
        ),
        ("/**: 3\n", r"/\*\* has no ros__parameters"),
        ("/**:\n  ros__parameters:\n", "there is no value on line 2"),
        (
            "trust_seg_node:\n  ros__parameters: {thresholds.pixel: 0.01}\n",
            r"says nothing to the node /trust_seg: its sections are 'trust_seg_node', expected '/trust_seg' or '/\*\*'",
        ),
        ("/front/trust_seg:\n  ros__parameters: {thresholds.pixel: 0.01}\n", "its sections are '/front/trust_seg'"),
        ("trust_seg:\n  ros__parameters: {thresholds: {pixel: 0.4}, thresholds.pixel: 0.5}\n", "is given twice"),
        ("trust_seg:\n  ros__parameters: {a: &x 1, b: *x}\n", "ROS takes no aliases"),
    ],
)
def test_a_file_that_is_none_is_named(file, text, words):
    path = file(text)
    with pytest.raises(ParameterError, match=words) as caught:
        read_parameters(path)
    assert str(path) in str(caught.value)


def test_a_file_that_is_not_there_or_not_text(tmp_path):
    with pytest.raises(ParameterError, match=r"nowhere\.yaml: no such parameter file"):
        read_parameters(tmp_path / "nowhere.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\x00\x81")
    with pytest.raises(ParameterError, match="not a readable parameter file"):
        read_parameters(tmp_path / "binary.yaml")
    with pytest.raises(ParameterError, match="not a readable parameter file"):
        read_parameters(tmp_path)


def test_the_command_says_it_in_one_line(tmp_path, capsys):
    assert cli.main(["replay", str(tmp_path), "--out", str(tmp_path / "out"), "-p", "thresholds.pixl:=1"]) != 0
    said = capsys.readouterr().err
    assert "did you mean thresholds.pixel" in " ".join(said.split())
    assert "Traceback" not in said
    assert not (tmp_path / "out").exists()


def test_the_yaml_of_every_parameter_comes_back(file):
    """What a user may write for each parameter by itself."""
    values = {parameter.name: parameter.default for parameter in TABLE}
    assert read_parameters(file(yaml.safe_dump({"trust_seg": {"ros__parameters": values}}))) == values


def test_parameters_of_other_nodes_for_all_nodes_are_theirs(tmp_path):
    file = tmp_path / "all.yaml"
    file.write_text("/**:\n  ros__parameters: {lidar: {beams: 64}, thresholds: {pixel: 0.25}}\n")
    assert replay_parameters(file, []).thresholds.pixel.value == 0.25
    file.write_text("/**:\n  ros__parameters: {thresholds: {pixl: 0.25}}\n")
    with pytest.raises(ParameterError, match=r"no parameter 'thresholds.pixl'; did you mean thresholds.pixel"):
        replay_parameters(file, [])
    file.write_text("trust_seg:\n  ros__parameters: {lidar: {beams: 64}}\n")
    with pytest.raises(ParameterError, match=r"no parameter 'lidar.beams'"):
        replay_parameters(file, [])


def test_cameras_in_namespaces_are_nodes_of_their_own(tmp_path):
    file = tmp_path / "cameras.yaml"
    nodes = ["/front/trust_seg", "/rear/trust_seg"]
    front = "/front/trust_seg:\n  ros__parameters: {thresholds: {pixel: 0.25}}\n"
    file.write_text(front)
    assert replay_parameters(file, [], nodes[:1]).thresholds.pixel.value == 0.25
    with pytest.raises(ParameterError, match=r"says nothing to the node /rear/trust_seg: its sections are '/front/"):
        replay_parameters(file, [], nodes)
    file.write_text(front + "/rear/trust_seg:\n  ros__parameters: {thresholds: {pixel: 0.5}}\n")
    with pytest.raises(ParameterError, match=r"different values of thresholds\.pixel; replay these cameras one by one"):
        replay_parameters(file, [], nodes)
    file.write_text(front.replace("/front", "/*"))
    assert replay_parameters(file, [], nodes).thresholds.pixel.value == 0.25
