"""Settings without effect are said: misspelt names, files for other nodes, options that a file overrides."""

import signal

import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from ros_bench import Bench, NodeProcess

from trust_seg_ros.node.parameter_names import is_misspelt
from trust_seg_ros.node.parameter_notes import ParameterNotes, options_of, parameter_notes
from trust_seg_ros.node.parameters import BY_NAME

FRONT = "/front/trust_seg"


@pytest.fixture
def notes(tmp_path):
    """Notes on a node with these files and options; ``overrides`` is what ROS makes of them."""

    def of(overrides, *rules, **files):
        command = ["trust_seg_node", "--ros-args"]
        for name, text in files.items():
            (tmp_path / name).write_text(text)
            command += ["--params-file", str(tmp_path / name)]
        for rule in rules:
            command += ["-p", rule]
        return parameter_notes(overrides, BY_NAME, FRONT, command)

    return of


def test_known_names_and_those_of_ros_need_no_words(notes):
    file = f"{FRONT}: {{ros__parameters: {{thresholds: {{pixel: 0.3}}, use_sim_time: true}}}}"
    overrides = {"thresholds.pixel": 0.3, "use_sim_time": True, "qos_overrides./front/x.publisher.depth": 3}
    assert notes(overrides, file=file) == ParameterNotes()


@pytest.mark.parametrize("key", [FRONT, "/**", "/*/trust_seg", "front/trust_seg"])
def test_a_misspelt_name_is_told_with_the_nearest(notes, key):
    file = f"'{key}': {{ros__parameters: {{treshold: 0.3, thresholds: {{pixle: 0.3}}}}}}"
    found = notes({"treshold": 0.3, "thresholds.pixle": 0.3}, file=file)
    assert [name.split(" or ")[0] for name in found.unknown] == [
        "thresholds.pixle; did you mean thresholds.pixel",
        "treshold; did you mean ood.threshold",
    ]
    assert found.warnings[0].startswith("there is no parameter thresholds.pixle; did you mean")


def test_names_of_other_nodes_in_a_shared_section_are_only_listed(notes):
    overrides = {"lidar.beams": 64, "width": 640}
    assert notes(overrides, file="/**: {ros__parameters: {lidar: {beams: 64}, width: 640}}") == ParameterNotes(
        of_others=("lidar.beams", "width")
    )
    found = notes(overrides, file=f"{FRONT}: {{ros__parameters: {{lidar: {{beams: 64}}, width: 640}}}}")
    assert [name.partition(";")[0] for name in found.unknown] == ["lidar.beams", "width"]


def test_an_option_is_always_meant_for_the_node(notes):
    assert notes({"nope": 1}, "nope:=1").unknown[0].startswith("nope")
    assert notes({"nope": 1}).unknown[0].startswith("nope")  # from the constructor
    assert notes({"nope": 1}, "nope:=1", file="/**: {ros__parameters: {nope: 2}}").unknown[0].startswith("nope")


@pytest.mark.parametrize("key", ["trust_seg", "/rear/trust_seg", "/*", "trust_seg_node"])
def test_a_file_for_another_node_is_told_with_the_expected_key(notes, key):
    (words,) = notes({}, file=f"'{key}': {{ros__parameters: {{thresholds.pixel: 0.3}}}}").warnings
    assert f"says nothing to the node {FRONT}: its sections are {key!r}, expected {FRONT!r} or '/**'" in words


def test_an_option_that_a_file_overrides_is_told(notes):
    """ROS adds -p to the section /**; a section after it wins."""
    later = f"/**: {{ros__parameters: {{mode: every}}}}\n{FRONT}: {{ros__parameters: {{thresholds.pixel: 0.3}}}}"
    (words,) = notes({"thresholds.pixel": 0.3}, "thresholds.pixel:=0.5", file=later).warnings
    assert words.startswith(
        f"-p thresholds.pixel:=0.5 has no effect: the later section {FRONT!r} of the parameter file"
    )
    assert notes({"thresholds.pixel": 0.5}, "thresholds.pixel:=0.5", file=later) == ParameterNotes()


def test_only_the_part_for_ros_of_a_command_line_counts():
    words = ["node", "-p", "1", "--ros-args", "-p", "a:=1", "--param", "b:=2", "--", "-p", "c:=3", "--params-file", "x"]
    assert options_of(words) == (["a:=1", "b:=2"], [])


def test_short_and_exact_parts_of_names_are_no_misspelling():
    assert [
        name for name in ("modes", "width", "rate", "frame_id", "device_id", "threshold") if is_misspelt(name, BY_NAME)
    ] == []
    assert all(is_misspelt(name, BY_NAME) for name in ("treshold", "entropy_encodng", "thresholds.pixl", "autostrat"))


@pytest.mark.ros
def test_the_node_warns_and_stores_doubles(tmp_path):
    typo = tmp_path / "typo.yaml"
    typo.write_text("/**: {ros__parameters: {treshold: 0.3, thresholds: {pixle: 0.3}, beams: 64, overlay.alpha: 1}}\n")
    node = NodeProcess(
        "warned", file=typo, autostart=False, nope=1, **{"thresholds.pixel": 1, "diagnostics.period_s": 1}
    )
    bench = Bench("warned")
    try:
        status = bench.says("parameters", "there is no parameter treshold")
        assert status.level == DiagnosticStatus.WARN
        unknown = bench.value("parameters", "unknown parameters")
        assert all(name in unknown for name in ("nope", "thresholds.pixle", "did you mean thresholds.pixel"))
        assert bench.value("parameters", "unknown names for every node") == "beams"
        for name in ("thresholds.pixel", "overlay.alpha", "diagnostics.period_s"):
            assert type(bench.get(name)) is float
            assert bench.get(name) == 1.0
        assert bench.set("overlay.alpha", 0).successful
        assert type(bench.get("overlay.alpha")) is float
        assert bench.set("model_input.mean", [0, 0, 1]).successful
        assert list(bench.get("model_input.mean")) == [0.0, 0.0, 1.0]
        assert bench.set("half", True).successful
        assert bench.get("half") == "on"
        refused = bench.set("overlay.alpha", 7)
        assert not refused.successful
        assert "7 (integer), expected a number from 0 to 1" in refused.reason
    finally:
        bench.close()
        said = node.stop(signal.SIGINT)[1]
        node.kill()
    assert "there is no parameter nope" in said
    assert "[WARN]" in said


@pytest.mark.ros
def test_a_file_for_another_node_stands_in_diagnostics(tmp_path):
    file = tmp_path / "other.yaml"
    file.write_text("/front/trust_seg: {ros__parameters: {thresholds: {pixel: 0.123}}}\n")
    node, bench = NodeProcess("unheard", file=file, autostart=False), Bench("unheard")
    try:
        status = bench.says("parameters", "says nothing to the node /unheard: its sections are '/front/trust_seg'")
        assert status.level == DiagnosticStatus.WARN
    finally:
        bench.close()
        node.stop()
        node.kill()
