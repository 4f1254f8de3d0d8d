"""Every block of code in README.md and docs/ is looked at for real, or a comment before it says why not.

Commands are parsed by their own parsers, launch arguments and parameters by what reads them, Python is compiled and its
imports and calls are resolved. Much of it is also run: the guides about the library, networks, extending and label maps
have tests of their own.
"""

import subprocess

import pytest
import yaml
from doc_blocks import all_blocks, blocks_of
from doc_commands import check_shell
from doc_python import PythonError, check_python
from doc_trust_seg import CommandError
from guide import _PLACE

from trust_seg_ros.commands.replay_parameters import read_parameters, replay_parameters
from trust_seg_ros.datasets.geometry import read_geometry
from trust_seg_ros.datasets.label_map_file import label_map
from trust_seg_ros.segmentation.labels import load_labels

BLOCKS = all_blocks()
SHELL = [b for b in BLOCKS if b.language == "bash" or (b.language == "" and b.text.startswith(("trust-seg ", "ros2 ")))]
PYTHON = [b for b in BLOCKS if b.language == "python"]
YAML = [b for b in BLOCKS if b.language == "yaml"]
SHOWN = {"", "text"}
"""What programs print, and how folders look."""
WRITTEN_BY_THE_READER = frozenset({"my_nets", "my_package", "mynets"})


def looked_at(blocks):
    return [pytest.param(block, id=str(block)) for block in blocks if not block.mark]


def test_every_block_is_of_a_kind_that_is_looked_at_or_says_why_not():
    seen = {id(block) for block in [*SHELL, *PYTHON, *YAML]}
    others = [b for b in BLOCKS if id(b) not in seen and not b.mark and b.language not in SHOWN]
    assert [f"{block}: {block.language}" for block in others] == []
    assert len(SHELL) > 30
    assert len(PYTHON) > 20
    assert len(YAML) > 2


def test_what_is_not_looked_at_is_the_exception():
    marked = [block for block in BLOCKS if block.mark]
    assert len(marked) <= 8, [str(block) for block in marked]


@pytest.mark.parametrize("block", looked_at(SHELL))
def test_commands_exist_with_their_options(block):
    check_shell(block.text)


def test_blocks_for_the_shell_can_be_read_by_bash():
    text = "\n".join(f"f{k}() {{\n:\n{block.text}\n}}" for k, block in enumerate(SHELL) if "<" not in block.text)
    run = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, timeout=30)
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("block", looked_at(PYTHON))
def test_python_compiles_and_what_it_names_exists(block):
    if _PLACE.match(block.text):
        assert block.page == "docs/extending.md", "only test/extending runs what changes files of the package"
        return
    check_python(block.text, WRITTEN_BY_THE_READER)


@pytest.mark.parametrize("block", looked_at(YAML))
def test_yaml_is_read_by_what_reads_it(block, tmp_path):
    file = tmp_path / "block.yaml"
    file.write_text(block.text)
    content = yaml.safe_load(block.text)
    if any("ros__parameters" in str(section) for section in content.values()):
        values = read_parameters(file)
        assert values
        replay_parameters(
            None,
            [
                f"{name}:={yaml.safe_dump(value, default_flow_style=True).splitlines()[0]}"
                for name, value in values.items()
            ],
        )
    elif "extrinsics" in content:
        (tmp_path / content["depth"]).mkdir()
        (tmp_path / content["poses"]).write_text("name,x,y,z,qx,qy,qz,qw\na,0,0,0,0,0,0,1\n")
        matrix = "{rows: 3, cols: 3, data: [400, 0, 320, 0, 400, 240, 0, 0, 1]}"
        (tmp_path / content["camera"]).write_text(f"image_width: 640\nimage_height: 480\ncamera_matrix: {matrix}\n")
        assert read_geometry(file).hz == content["hz"]
    elif "map" in content:
        assert label_map(str(file), load_labels("cityscapes19"))
    else:
        assert len(load_labels(str(file))) == len(content["classes"])


@pytest.mark.parametrize(
    ("text", "words"),
    [("trust-seg fit data --otu x", "no option --otu"), ("trust-seg replay bag", "required"),
     ("trust-seg show a.jpg --half maybe", "maybe"), ("trust-seg fly", "no command 'fly'"), ("make tea", "no tea"),
     ("make demo SAUCE=x", "no SAUCE"),
     ("ros2 launch trust_seg_ros trust_seg.launch.py imgae:=/x", "no argument imgae"),
     ("ros2 launch trust_seg_ros trust_seg.launch.py rviz:=perhaps", "perhaps"),
     ("ros2 run trust_seg_ros trust_seg_node --ros-args -p modle:=x", "no parameter 'modle'"),
     ("ros2 param set /trust_seg on_shift 7", "on_shift"), ("ros2 topic hz /trust_seg/heat", "no topic"),
     ("ros2 lifecycle set /trust_seg start", "start"), ("ros2 run no_such_package x", "no_such_package"),
     ("pip install '.[everything]'", "no such extra"), ("python tools/gone.py", "not in the repository"),
     ("frobnicate", "frobnicate"), ("sudo apt install ros-$ROS_DISTRO-gone", "gone"),
     ("docker build -f docker/Dockerfile --build-arg ROS=x .", "no argument ROS")],
)  # fmt: skip
def test_a_command_that_cannot_be_run_is_found(text, words):
    with pytest.raises(CommandError, match=words):
        check_shell(text)


@pytest.mark.parametrize(
    ("code", "words"),
    [("from trust_seg_ros import TrustPipelin", "has no TrustPipelin"), ("import no_such_module", "cannot be imported"),
     ("import numpy as np\nnp.zeroes(3)", "has no zeroes"),
     ("from trust_seg_ros import Section\nSection(0, to=3)", "Section: .*'to'")],
)  # fmt: skip
def test_python_that_cannot_run_is_found(code, words):
    with pytest.raises(PythonError, match=words):
        check_python(code)


def test_a_block_may_say_why_it_is_not_looked_at():
    page = "text\n\n<!-- not run: needs a moon -->\n```bash\nfly\n```\n\n  ```python\n  x = 1\n  ```\n"
    marked, indented = blocks_of(page, "page.md")
    assert (marked.mark, marked.line, marked.text) == ("needs a moon", 4, "fly\n")
    assert (indented.mark, indented.language, indented.text) == ("", "python", "x = 1\n")
    with pytest.raises(AssertionError, match=r"page\.md:1: this block has no end"):
        blocks_of("```bash\nls\n", "page.md")
