"""examples/cpp is built with the libraries that are here, and its maps are those of Python, byte for byte."""

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
from places import ROOT

from trust_seg_ros import cli
from trust_seg_ros.exporting.head_file import open_head
from trust_seg_ros.segmentation.scenes import scene_image

pytestmark = pytest.mark.slow
SOURCE = ROOT / "examples" / "cpp"
SIZE = (120, 200)
HEADERS = ("/usr/include", "/usr/local/include", "/opt/onnxruntime/include")
BELOW = ("", "onnxruntime", "onnxruntime/core/session")


def ran(*words):
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def onnxruntime_root(folder):
    """A folder with headers and library of ONNX Runtime; skips where there are none."""
    places = [Path(place, below) for place in HEADERS for below in BELOW]
    found = [place for place in places if (place / "onnxruntime_cxx_api.h").is_file()]
    if not found:
        pytest.skip(f"no headers of ONNX Runtime in {', '.join(HEADERS)}; its wheel has none")
    spec = importlib.util.find_spec("onnxruntime")
    libraries = sorted(Path(spec.origin).parent.glob("capi/libonnxruntime.so.*")) if spec is not None else []
    if not libraries:
        pytest.skip("no library of ONNX Runtime: python -m pip install onnxruntime")
    (folder / "lib").mkdir(parents=True)
    (folder / "include").symlink_to(found[0])
    for name in ("libonnxruntime.so", "libonnxruntime.so.1"):  # as in its release; the wheel has the long name only
        (folder / "lib" / name).symlink_to(libraries[-1])
    return folder


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    """A picture as PPM, with a comment in its header, and as an array."""
    image = scene_image(SIZE, 4)
    path = tmp_path_factory.mktemp("picture") / "street.ppm"
    path.write_bytes(b"P6\n# from a camera\n%d %d\n255\n" % SIZE[::-1] + image.tobytes())
    return path, image


def build(folder, name, option):
    for tool in ("cmake", "g++"):
        if shutil.which(tool) is None:
            pytest.skip(f"no {tool}")
    # nothing else is looked for: each library is tested by itself
    ran("cmake", "-S", SOURCE, "-B", folder, option, "-DCMAKE_CXX_FLAGS=-Werror")
    ran("cmake", "--build", folder)
    return folder / f"trust_head_{name}"


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_its_maps_are_those_of_python(tmp_path, picture, name):
    pytest.importorskip("onnxscript")
    if name == "onnxruntime":
        option, file = f"-DONNXRUNTIME_ROOT={onnxruntime_root(tmp_path / 'root')}", tmp_path / "trust.onnx"
    else:
        utils = pytest.importorskip("openvino.utils")
        option, file = f"-DOpenVINO_DIR={utils.get_cmake_path()}", tmp_path / "trust.xml"
    program = build(tmp_path / "build", name, option)
    words = ("--image-size", f"{SIZE[1]}x{SIZE[0]}", "--out", str(file), "--quiet")
    assert cli.main(["export", "--head", "trust", *words]) == 0
    path, image = picture
    said = ran(program, file, path, tmp_path / "out", "0.4")
    head = open_head(file, name)
    for one, map_ in head(image).items():
        written = cv2.imread(str(tmp_path / f"out_{one}.pgm"), cv2.IMREAD_UNCHANGED)
        assert np.array_equal(written, map_), one
    entropy = head.values(image)["entropy"]
    mean, untrusted = map(
        float, re.search(r"mean entropy ([\d.]+), untrusted from 0.4\d* on: ([\d.]+) %", said).groups()
    )
    assert mean == pytest.approx(float(entropy.mean()), abs=1e-3)
    assert untrusted == pytest.approx(100 * float((entropy >= 0.4).mean()), abs=0.01)
    classes = head(image)["class"]
    name_of = head.labels.names[int(np.bincount(classes.ravel()).argmax())]
    share = float(re.search(rf"  {name_of} ([\d.]+) %", said)[1])
    assert share == pytest.approx(100 * float((classes == np.bincount(classes.ravel()).argmax()).mean()), abs=0.01)

    for wrong, text in (
        ((tmp_path / "none.ppm",), "no such file"),
        ((SOURCE / "README.md",), "no binary PPM file"),
    ):
        done = subprocess.run(
            [program, file, *wrong, tmp_path / "out"], capture_output=True, text=True, timeout=100, check=False
        )
        assert done.returncode == 2
        assert text in done.stderr
