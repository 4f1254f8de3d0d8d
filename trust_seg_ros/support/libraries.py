"""Optional libraries: which pip command installs a missing one."""

from __future__ import annotations

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
    "rerun": ("rerun-sdk>=0.24", "rerun"),
    "ray": ("ray>=2.9", "ray"),
    "shtab": ("shtab>=1.6", "completion"),
    "transformers": ("transformers>=4.40,<6", "hf"),
}
"""Name of the import -> (what pip installs, the extra of setup.py that holds it); rosbags brings four of the others."""


def how_to_install(name: str) -> str:
    """The pip command for a library, and the one for everything that its command needs.

    Args:
        name: name of the import, one of :data:`PIP`.

    Raises:
        KeyError: it is not an optional library.

    >>> how_to_install("ray")
    'python -m pip install "ray>=2.9", or in a checkout of this package: python -m pip install ".[ray]"'
    """
    wanted, extra = PIP[name]
    return f'python -m pip install "{wanted}", or in a checkout of this package: python -m pip install ".[{extra}]"'


def missing_library(error: ImportError) -> str | None:
    """A sentence about the optional library whose absence caused an error; None for any other import."""
    name = (error.name or "").partition(".")[0]
    if name not in PIP:
        return None
    return f"the library {name} is missing ({error}); install it: {how_to_install(name)}"
