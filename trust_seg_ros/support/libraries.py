"""Optional libraries: which pip command installs a missing one."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

PACKAGE = "trust_seg_ros"
PIP: dict[str, tuple[str, str]] = {
    "rosbags": ("rosbags>=0.11", "replay"),
    "apsw": ("rosbags>=0.11", "replay"),
    "backports": ("rosbags>=0.11", "replay"),
    "lz4": ("rosbags>=0.11", "replay"),
    "ruamel": ("rosbags>=0.11", "replay"),
    "plotly": ("plotly>=5.9", "replay"),
    "pyarrow": ("pyarrow>=12", "fit"),
    "matplotlib": ("matplotlib>=3.7", "fit"),
    "PIL": ("Pillow>=9.1", "fit"),
    "threadpoolctl": ("threadpoolctl>=2", "fit"),
    "rerun": ("rerun-sdk>=0.24", "viewer"),
    "ray": ("ray>=2.9", "cluster"),
    "pandas": ("pandas>=1.5", "export"),
    "supervision": ("supervision>=0.20", "export"),
    "av": ("av>=11", "video"),
    "shtab": ("shtab>=1.6", "completion"),
    "onnx": ("onnx>=1.15", "onnx"),
    "onnxscript": ("onnxscript>=0.4", "onnx"),
    "onnxruntime": ("onnxruntime>=1.17", "onnx"),
    "openvino": ("openvino>=2024.0", "openvino"),
    "tensorrt": ("tensorrt>=10", "tensorrt"),
    "transformers": ("transformers>=4.40,<6", "networks"),
}
"""Name of the import -> (what pip installs, the extra of setup.py that holds it); rosbags brings four of the others."""


def how_to_install(name: str) -> str:
    """The pip command for a library, and the one for everything that its task needs, from where this package came.

    Args:
        name: name of the import, one of :data:`PIP`.

    Raises:
        KeyError: it is not an optional library.
    """
    wanted, extra = PIP[name]
    source = package_source()
    if source:
        return f'python -m pip install "{wanted}", or all of its kind: {install_line(extra, source)}'
    return f'python -m pip install "{wanted}", or in a checkout of this package: python -m pip install ".[{extra}]"'


def install_line(extra: str, source: str) -> str:
    """The pip command for this package with an extra; it is true in every folder.

    >>> install_line("export", "file:///home/me/trust_seg_ros")
    'python -m pip install "trust_seg_ros[export] @ file:///home/me/trust_seg_ros"'
    """
    return f'python -m pip install "{PACKAGE}[{extra}] @ {source}"'


def package_source() -> str:
    """Where pip finds this package again: its checkout, or the URL it was installed from; "" if neither is known."""
    checkout = Path(__file__).resolve().parents[2]
    if (checkout / "setup.py").is_file() and (checkout / PACKAGE).is_dir():
        return checkout.as_uri()
    try:
        text = distribution(PACKAGE).read_text("direct_url.json")
        found = json.loads(text) if text else {}
        url, commit = found.get("url", ""), found.get("vcs_info", {}).get("commit_id", "")
    except (PackageNotFoundError, ValueError, AttributeError):
        return ""
    return f"{found['vcs_info'].get('vcs', 'git')}+{url}@{commit}" if commit else str(url)


def missing_library(error: ImportError) -> str | None:
    """A sentence about the optional library whose absence caused an error; None for any other import."""
    name = (error.name or "").partition(".")[0]
    if name not in PIP:
        return None
    return f"the library {name} is missing ({error}); install it: {how_to_install(name)}"
