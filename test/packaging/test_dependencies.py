"""Every import is declared, in setup.py and requirements*.txt; an error names what installs a missing one."""

import ast
import json
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from places import ROOT
from test_setup import lines, normal

from trust_seg_ros.support.libraries import PIP, how_to_install, missing_library

# which extras a folder of the package may count on, besides install_requires
EXTRAS_OF = {
    "bags": {"demo", "replay"},
    "commands/completion.py": {"completion"},
    "datasets/image_files.py": {"fit"},  # labels with a palette; without Pillow the command line says what to install
    "evaluation": {"fit"},
    "fitting": {"fit"},
    "library": {"export"},
    "messages/video.py": {"video"},
    "node/demo": {"demo"},
    "recordings": {"replay"},
    "recordings/export": {"replay", "rerun"},
    "recordings/replay": {"replay", "ray"},
    "exporting": {"onnx", "openvino"},
    "segmentation/graphs/backend.py": {"onnx"},
    "segmentation/graphs/torch_graph.py": {"onnx"},
    "segmentation/huggingface.py": {"hf"},
    "segmentation/graphs/ir_graph.py": {"openvino"},
    "segmentation/graphs/ir_tail.py": {"openvino"},
    "segmentation/graphs/onnx_graph.py": {"onnx"},
    "segmentation/graphs/onnx_session.py": {"onnx"},
    "segmentation/graphs/onnx_steps.py": {"onnx"},
    "segmentation/graphs/onnx_tail.py": {"onnx"},
    "segmentation/graphs/onnx_weights.py": {"onnx"},
    "segmentation/graphs/tensorrt_graph.py": {"onnx"},
    "segmentation/graphs/runtimes.py": {"onnx", "openvino"},
    "segmentation/graphs/to_onnx.py": {"onnx"},
}
ROS = {"rclpy", "launch", "launch_ros", "ament_index_python", "rcl_interfaces"}


@pytest.fixture(scope="module")
def declared():
    """Extra (or "" for everyone) -> names of what setup.py asks for."""
    code = (
        "import setuptools, json\nfrom distutils.core import run_setup\n"
        "d = run_setup('setup.py', stop_after='init')\n"
        "print(json.dumps({'': d.install_requires, **d.extras_require}))"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    return json.loads(run.stdout.splitlines()[-1])


def imports(path):
    """Top-level names that a file imports anywhere in it, but not for its types alone."""
    found = set()
    tree = ast.parse(path.read_text())
    typing_only = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(node.module.partition(".")[0])
    return found


def third_party(names):
    ros = {name for name in names if name in ROS or name.endswith(("_msgs", "_srvs"))}
    return names - ros - set(sys.stdlib_module_names) - {"trust_seg_ros"}


def names_of(requirements):
    return {normal(re.split(r"[\[<>=!;]", requirement)[0].strip()) for requirement in requirements}


def test_deptry_finds_no_undeclared_import():
    run = subprocess.run(
        [Path(sys.executable).with_name("deptry"), "--no-ansi", "."],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "No dependency issues found" in run.stdout + run.stderr


def test_setup_and_the_requirements_ask_for_the_same(declared):
    every = names_of(requirement for group in declared.values() for requirement in group)
    listed = {normal(line) for line in lines("requirements.txt") + lines("requirements-test.txt")}
    assert {"scipy", "lz4", "apsw", "backports-zstd", "ruamel-yaml", "threadpoolctl", "pillow"} <= every
    assert every - listed == {"tensorrt"}, "gigabytes, and of use with a GPU only"
    bare = {name for name in map(normal, lines("requirements.txt")) if not name.startswith("ros-")}
    assert bare - every == set()


def test_every_import_is_declared_for_the_part_that_makes_it(declared):
    distributions = packages_distributions()
    missing = []
    for path in sorted((ROOT / "trust_seg_ros").rglob("*.py")):
        place = path.relative_to(ROOT / "trust_seg_ros").as_posix()
        extras = {extra for part, some in EXTRAS_OF.items() if place.startswith(part) for extra in some}
        extras |= {"gpu"} if place.endswith("_gpu.py") else set()
        allowed = names_of(requirement for extra in ["", *extras] for requirement in declared[extra])
        for name in third_party(imports(path)):
            if not {normal(distribution) for distribution in distributions.get(name, [name])} & allowed:
                missing.append(f"{place}: {name}")
    assert missing == []


def test_what_drives_needs_no_extra(declared):
    """The node installs with install_requires and ROS alone."""
    drives = ("node", "pipeline", "thresholds", "meta", "uncertainty")
    assert [part for part in EXTRAS_OF if part.startswith(drives)] == ["node/demo"]
    assert names_of(declared[""]) & names_of(declared["replay"]) == set()


def test_the_pip_lines_of_errors_are_those_of_setup(declared):
    parts = re.compile(r"[<>=]=?[^,<>=]+|^[\w.-]+")
    for name, (wanted, extra) in PIP.items():
        asked = [set(parts.findall(requirement)) for requirement in declared[extra]]
        assert set(parts.findall(wanted)) in asked, name
    with pytest.raises(KeyError):
        how_to_install("no_such_library")


def test_the_line_for_an_extra_is_true_in_every_folder(tmp_path):
    """In a checkout, and where pip says what the package was installed from; else it says where it holds."""
    assert how_to_install("pandas").endswith(f'pip install "trust_seg_ros[export] @ {ROOT.as_uri()}"')
    copy, meta = tmp_path / "trust_seg_ros", tmp_path / "trust_seg_ros-1.dist-info"
    (copy / "support").mkdir(parents=True)
    for name in ("__init__.py", "support/__init__.py", "support/libraries.py"):
        (copy / name).write_text((ROOT / "trust_seg_ros" / name).read_text())
    meta.mkdir()
    (meta / "METADATA").write_text("Metadata-Version: 2.1\nName: trust_seg_ros\nVersion: 1\n")
    code = "from trust_seg_ros.support.libraries import how_to_install; print(how_to_install('pandas'))"

    def said(direct_url):
        (meta / "direct_url.json").write_text(direct_url)
        run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
        return run.stdout.strip()

    folder = said('{"url": "file:///home/me/a%20b", "dir_info": {}}')
    assert folder.endswith('all of its kind: python -m pip install "trust_seg_ros[export] @ file:///home/me/a%20b"')
    git = said('{"url": "https://host.example/x.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}}')
    assert git.endswith('"trust_seg_ros[export] @ git+https://host.example/x.git@abc"')
    for unknown in ("", "[]", "no json"):
        assert said(unknown).endswith('in a checkout of this package: python -m pip install ".[export]"')


@pytest.mark.slow
def test_pip_takes_the_line_with_its_extras(declared):
    line = ["install", "--dry-run", "--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
    every = ",".join(extra for extra in declared if extra)
    wanted = f"trust_seg_ros[{every}] @ {ROOT.as_uri()}"
    run = subprocess.run(
        [sys.executable, "-m", "pip", *line, wanted], cwd="/", capture_output=True, text=True, timeout=300
    )
    assert run.returncode == 0, run.stderr
    assert "does not provide the extra" not in run.stderr + run.stdout


def test_extras_are_named_by_task_and_older_names_stay(declared):
    same = {"networks": "hf", "viewer": "rerun", "cluster": "ray"}
    assert {new: declared[new] for new in same} == {new: declared[old] for new, old in same.items()}
    assert {"replay", "fit", "export", "all", "test"} <= declared.keys()
    optional = {name for extra, group in declared.items() if extra not in ("", "test") for name in names_of(group)}
    assert names_of(declared["all"]) == optional - {"tensorrt", "triton"}, "of use with a GPU only"


def test_the_page_about_installing_names_every_extra(declared):
    page = (ROOT / "docs" / "install.md").read_text("utf-8")
    assert [extra for extra in declared if extra not in ("", "test") and f"`{extra}`" not in page] == []


def test_a_missing_library_is_told_from_a_mistake():
    assert 'pip install "matplotlib>=3.7"' in missing_library(ModuleNotFoundError("gone", name="matplotlib.axes"))
    assert missing_library(ModuleNotFoundError("gone", name="trust_seg_ros.gone")) is None
    assert missing_library(ImportError("no name")) is None


@pytest.mark.slow
def test_a_command_without_its_library_says_what_to_install(tmp_path):
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    code = (
        "import sys; sys.modules['pyarrow'] = None; from trust_seg_ros.cli import main; "
        "sys.exit(main(['fit', '.', '--out', 'meta.json']))"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert run.returncode == 2, run.stderr
    assert "trust-seg fit: the library pyarrow is missing" in run.stderr
    assert 'pip install "pyarrow>=12"' in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("version", [(3, 9, 2), (3, 14, 0)])
def test_an_unsupported_python_is_refused_with_one_sentence(version):
    """colcon runs setup.py itself and looks at no python_requires."""
    code = f"import sys, runpy, setuptools; sys.version_info = {version!r}; runpy.run_path('setup.py')"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert run.returncode == 1
    assert run.stderr.count("\n") == 1
    assert f"runs on Python 3.10 to 3.13, where its tests run; this is Python 3.{version[1]}: use" in run.stderr


def test_the_range_of_python_is_the_same_everywhere():
    assert 'python_requires=">=3.10,<3.14"' in (ROOT / "setup.py").read_text()
    assert 'requires-python = ">=3.10,<3.14"' in (ROOT / "interfaces/tf2_msgs/pyproject.toml").read_text()
    assert 'requires-python = ">=3.10,<3.14"' in (ROOT / "interfaces/vision_msgs/pyproject.toml").read_text()
    assert "(3, 10) <= sys.version_info[:2] <= (3, 13)" in (ROOT / "tools/find_python.sh").read_text()
    assert "python_version < '3.14'" in (ROOT / "pyproject.toml").read_text()
