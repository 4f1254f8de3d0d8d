"""One ament_python package: `colcon build` and `pip install .` both start here."""

import sys
from pathlib import Path

from setuptools import find_packages, setup

NAME = "trust_seg_ros"
SHARE = f"share/{NAME}"
HERE = Path(__file__).parent

if not (3, 10) <= sys.version_info[:2] <= (3, 13):  # colcon runs this file and looks at no python_requires
    found = ".".join(map(str, sys.version_info[:2]))
    sys.exit(f"{NAME} runs on Python 3.10 to 3.13, where its tests run; this is Python {found}: use one of those.")

# What opens bags: rosbags itself needs the rest, but our readers import it, too.
BAGS = ["rosbags>=0.11", "apsw", "backports.zstd", "lz4", "ruamel.yaml"]
HUGGING_FACE = ["transformers>=4.40,<6"]
RERUN = ["rerun-sdk>=0.24"]
RAY = ["ray>=2.9"]

# By what one wants to do; docs/install.md has the same table.
EXTRAS = {
    # trust-seg demo and play, with a bag as source; a film that browsers play
    "demo": [*BAGS, "av>=11"],
    # bags in Python: pipeline("drive/")
    "bags": BAGS,
    # result.to_pandas(), result.to_supervision()
    "export": ["pandas>=1.5", "supervision>=0.20"],
    # trust-seg replay: bags, tables, the report
    "replay": [*BAGS, "pyarrow>=12", "plotly>=5.9"],
    # trust-seg replay --rerun and --ray
    "viewer": RERUN,
    "cluster": RAY,
    # trust-seg fit, evaluate, calibrate, benchmark and trust; the node needs none of them
    "fit": ["pyarrow>=12", "matplotlib>=3.7", "Pillow>=9.1", "threadpoolctl>=2"],
    # the node: cameras that send H.264 or H.265
    "video": ["av>=11"],
    # trust-seg completion
    "completion": ["shtab>=1.6"],
    # networks of Hugging Face
    "networks": HUGGING_FACE,
    # networks as .onnx files, and other libraries than torch for all networks: backend:=onnxruntime, openvino
    "onnx": ["onnx>=1.15", "onnxscript>=0.4", "onnxruntime>=1.17"],
    "openvino": ["onnx>=1.15", "onnxscript>=0.4", "openvino>=2024.0"],
    # the older names of three of them
    "hf": HUGGING_FACE,
    "rerun": RERUN,
    "ray": RAY,
}
EXTRAS["all"] = sorted({requirement for group in EXTRAS.values() for requirement in group})
# backend:=tensorrt and .engine files: gigabytes, and of use with an NVIDIA GPU only, so not in "all"
EXTRAS["tensorrt"] = ["onnx>=1.15", "onnxscript>=0.4", "tensorrt>=10"]
# the kernels from pixel to mask on an NVIDIA GPU; torch for GPUs brings it along
EXTRAS["gpu"] = ["triton>=3.7,<3.8"]
# `colcon test` runs pytest only when this names it; launch_testing's plugin breaks pytest 9
EXTRAS["test"] = ["pytest>=7,<9", "hypothesis>=6"]


def files(folder: str, pattern: str) -> list[str]:
    """Regular files below ``folder``, relative to this file (setuptools wants them so), in a fixed order."""
    return sorted(str(p.relative_to(HERE)) for p in (HERE / folder).glob(pattern) if p.is_file())


data_files = [
    ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
    (SHARE, ["package.xml"]),
    (f"{SHARE}/launch", files("launch", "*.launch.py")),
    (f"{SHARE}/config", files("config", "*")),
    (f"{SHARE}/config/labels", files("config/labels", "*.yaml")),
    (f"{SHARE}/config/nav2", files("config/nav2", "*.yaml")),
    (f"{SHARE}/config/autoware", files("config/autoware", "*.yaml")),
]
if {"bdist_wheel", "editable_wheel"} & set(sys.argv):
    # pip puts executables into bin/ whatever setup.cfg says; ros2 run and ros2 launch look here.
    # colcon obeys setup.cfg and needs no wrapper.
    data_files.append((f"lib/{NAME}", files("scripts", "*")))

setup(
    name=NAME,
    version="0.2.0",
    description="Semantic segmentation for ROS 2 that says how far to trust it",
    long_description=(HERE / "README.md").read_text("utf-8") if (HERE / "README.md").is_file() else "",
    long_description_content_type="text/markdown",
    author="trust_seg_ros maintainers",
    maintainer="trust_seg_ros maintainers",
    maintainer_email="maintainers@trust-seg-ros.invalid",
    license="Apache-2.0",
    python_requires=">=3.10,<3.14",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_data={
        NAME: ["py.typed"],
        f"{NAME}.segmentation": ["weights/*.safetensors", "weights/*.json", "weights/*.md"],
        f"{NAME}.meta": ["models/*.json"],
        f"{NAME}.thresholds": ["calibrations/*.json", "calibrations/*.safetensors"],
        f"{NAME}.recordings": ["clips/*"],
        f"{NAME}.recordings.report": ["assets/*"],
    },
    data_files=data_files,
    # Only what every part needs and a ROS 2 distribution does not break: rclpy comes from the distribution,
    # or from requirements.txt when there is none.
    install_requires=[
        "setuptools",
        "numpy>=1.22",
        "torch>=2.4",
        "numba>=0.59",
        # comes with numba
        "llvmlite>=0.42",
        # OpenCV 5 breaks a distribution's cv_bridge
        "opencv-python-headless>=4.5,<5",
        "safetensors>=0.4",
        # unlike OpenCV it says when a JPEG is damaged
        "simplejpeg>=1.7",
        # the first for NumPy 1 and 2 alike; what Ubuntu 22.04 brings is broken by the NumPy of pip
        "scipy>=1.13",
        "scikit-learn>=1.2",
        "PyYAML>=5.4",
        "rich>=12",
    ],
    extras_require=EXTRAS,
    zip_safe=False,
    entry_points={
        "console_scripts": [
            f"trust_seg_node = {NAME}.node.main:main",
            f"trust_seg_cameras = {NAME}.node.cameras:main",
            f"trust_seg_speed_limit = {NAME}.node.speed_limit:main",
            f"trust-seg = {NAME}.cli:main",
        ],
    },
)
