"""The table of all node parameters: name, default, range, meaning, and when a change takes effect.

Declaration, descriptors, validation, ``config/trust_seg.yaml`` and ``docs/parameters.md`` are all generated from
``TABLE``. Nothing here imports rclpy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from trust_seg_ros.grid import FITTED, GRID_FORM, GRID_PATTERN
from trust_seg_ros.node.parameter import (
    AT_ACTIVATE,
    AT_CONFIGURE,
    AT_START,
    NEXT_FRAME,
    Parameter,
    ParameterError,
    listed,
)
from trust_seg_ros.node.parameters_batch import BATCH_PARAMETERS
from trust_seg_ros.node.parameters_calm import CALM_PARAMETERS
from trust_seg_ros.node.parameters_caution import CAUTION_PARAMETERS
from trust_seg_ros.node.parameters_input import INPUT_PARAMETERS
from trust_seg_ros.node.parameters_liveness import LIVENESS_PARAMETERS
from trust_seg_ros.node.parameters_output import OUTPUT_PARAMETERS
from trust_seg_ros.node.parameters_passes import PASSES_PARAMETERS
from trust_seg_ros.node.parameters_thresholds import THRESHOLD_PARAMETERS
from trust_seg_ros.node.parameters_tracking import TRACKING_PARAMETERS
from trust_seg_ros.node.parameters_trust_state import TRUST_STATE_PARAMETERS
from trust_seg_ros.segmentation.loaders import spec_forms
from trust_seg_ros.segments.origins import SETTINGS
from trust_seg_ros.support.backends import BACKENDS
from trust_seg_ros.thresholds.policies.registry import CALIBRATED
from trust_seg_ros.uncertainty.gradient_fast import LARGEST_P, SMALLEST_P
from trust_seg_ros.uncertainty.gradient_inputs import LABELS, Variant
from trust_seg_ros.uncertainty.score_names import CALIBRATED_SCORES, FEATURE_SCORES

__all__ = ["AT_ACTIVATE", "AT_CONFIGURE", "AT_START", "BY_NAME", "NEXT_FRAME", "TABLE", "Parameter", "ParameterError"]

_MAX_SIDE = 16384
_CALIBRATED = " and ".join(f"`{name}`" for name in CALIBRATED)


TABLE: tuple[Parameter, ...] = (
    Parameter(
        "autostart", True, "Configure and activate at start instead of waiting for a lifecycle manager.", AT_START
    ),
    Parameter(
        "model",
        "embedded",
        f"The network: {spec_forms()}.".replace("'", "`"),
        AT_CONFIGURE,
    ),
    Parameter(
        "model_sha256",
        "",
        "Hash that the network must have: the SHA-256 of its file (docs/network_contract.md says which for a folder or "
        "a factory), or its first 12 digits or more, in quotes; any other network is refused. Empty: any.",
        AT_CONFIGURE,
        pattern="([0-9a-fA-F]{12,64})?",
        form="12 to 64 hexadecimal digits in quotes, or empty",
    ),
    Parameter(
        "features_layer",
        "",
        f"Layer whose output the scores {listed(FEATURE_SCORES)} compare, by its name in the network; empty: the input "
        "of the last layer, if that is a 1×1 convolution. The calibration must have been made with the same.",
        AT_CONFIGURE,
    ),
    Parameter("labels", "", "Label set by name or YAML file; empty: the network's own.", AT_CONFIGURE),
    Parameter(
        "meta_model",
        "auto",
        "Meta model that judges segments: `auto` (the shipped one for the embedded network, none for others), `none`, "
        "or a file.",
        AT_CONFIGURE,
    ),
    Parameter(
        "grid",
        FITTED,
        "Grid that segments and their metrics are made on: `fitted` (as many pixels as the grid that the meta model "
        "was fitted on, in the shape of the image; the image without a meta model), `network` (the logits' own), "
        "`image`, `WIDTHxHEIGHT`, or `area:WIDTHxHEIGHT` (as many pixels, in the shape of the image). Topics have "
        "the image's size whatever the grid.",
        AT_CONFIGURE,
        pattern=GRID_PATTERN,
        form=GRID_FORM,
    ),
    Parameter(
        "segments_from",
        FITTED,
        "What makes a segment: `components` (neighbouring pixels of one class), `queries` (the pixels of a class that "
        "one query of a mask network claims, connected or not), or `fitted` (what the meta model was fitted with; "
        "components without one).",
        AT_CONFIGURE,
        choices=SETTINGS,
    ),
    Parameter(
        "calibration",
        "auto",
        "Calibration of the network: `auto` (the shipped one for the embedded networks, made with CamVid test; none "
        f"for others), `none` or empty, or a file of `trust-seg calibrate`. The policies {_CALIBRATED}, "
        f"the shift monitor and the scores {listed(CALIBRATED_SCORES)} need one.",
        AT_CONFIGURE,
    ),
    Parameter("device", "auto", "Where the network runs: `auto`, `cpu`, `cuda`, `cuda:1`, …", AT_CONFIGURE),
    Parameter(
        "half",
        "auto",
        "Half precision. `auto`: only on a GPU; `on`: also on a CPU, as bfloat16 if the CPU supports it.",
        AT_CONFIGURE,
        choices=("auto", "on", "off"),
    ),
    Parameter(
        "gpu_kernels",
        "auto",
        "Kernels that make maps, segments and their metrics where the network runs on an NVIDIA GPU. `auto`: they are "
        "used where triton is installed, once they have shown at configure that they answer as torch and the CPU do; "
        "`off`: torch makes the maps there and the CPU does the rest.",
        AT_CONFIGURE,
        choices=("auto", "off"),
    ),
    Parameter(
        "backend",
        BACKENDS[0],
        "Library that runs the network: `torch` (an .onnx file by the first of the others that is installed), "
        "`onnxruntime`, `openvino` (CPU), `tensorrt` (NVIDIA GPU; builds an engine the first time, for minutes), or "
        "`auto`, the fastest here but for TensorRT; the first time a network is made a graph takes some ten seconds. "
        "Answers that differ from torch's by more than 0.001 of the largest logit (on a GPU 0.01, in half precision "
        "0.03) are refused.",
        AT_CONFIGURE,
        choices=BACKENDS,
    ),
    Parameter(
        "providers",
        "",
        "What ONNX Runtime computes by, in order of preference, with commas between them: `cuda`, `tensorrt`, "
        "`openvino`, `cpu`, …; empty: as `device` says. One that cannot start is refused.",
        AT_CONFIGURE,
    ),
    Parameter(
        "cuda_graph",
        "off",
        "`on`: on a GPU, record a pass of the network, and the maps and segments that are made of its answer, for each "
        "size of image and replay them, which spares the time that Python takes to launch them. Tested without a GPU "
        "only, never run on one; where it has no effect, /diagnostics says why.",
        AT_CONFIGURE,
        choices=("off", "on"),
    ),
    Parameter(
        "threads",
        0,
        "CPU threads of the network, for the whole process; 0: one per core. Pixel maps and segments ignore it.",
        AT_CONFIGURE,
        low=0,
        high=256,
    ),
    Parameter(
        "model_input.width",
        0,
        "Width of the network's input in pixels; with width or height 0 the model's own size is used.",
        AT_CONFIGURE,
        low=0,
        high=_MAX_SIDE,
    ),
    Parameter(
        "model_input.height",
        0,
        "Height of the network's input in pixels; with width or height 0 the model's own size is used.",
        AT_CONFIGURE,
        low=0,
        high=_MAX_SIDE,
    ),
    Parameter(
        "model_input.order",
        "auto",
        "Channel order that the network expects; `auto`: the model's own.",
        AT_CONFIGURE,
        choices=("auto", "rgb", "bgr"),
    ),
    Parameter(
        "model_input.override_normalisation",
        False,
        "Use `model_input.mean` and `model_input.std` instead of the model's own.",
        AT_CONFIGURE,
    ),
    Parameter(
        "model_input.mean",
        [0.485, 0.456, 0.406],
        "Mean of red, green, blue in units of the scaled image (0 to 1).",
        AT_CONFIGURE,
        low=-1000.0,
        high=1000.0,
        length=3,
    ),
    Parameter(
        "model_input.std",
        [0.229, 0.224, 0.225],
        "Standard deviation of red, green, blue in units of the scaled image.",
        AT_CONFIGURE,
        low=1e-6,
        high=1000.0,
        length=3,
    ),
    *PASSES_PARAMETERS,
    *BATCH_PARAMETERS,
    Parameter(
        "warm_up.width",
        640,
        "Width in pixels of the image used to compile and warm up everything; best the camera's.",
        AT_CONFIGURE,
        low=16,
        high=_MAX_SIDE,
    ),
    Parameter("warm_up.height", 480, "Height in pixels of that image.", AT_CONFIGURE, low=16, high=_MAX_SIDE),
    *INPUT_PARAMETERS,
    Parameter(
        "mode",
        "latest",
        "`latest`: process the newest frame, older ones are overwritten; `every`: queue up to `queue_size` frames.",
        AT_ACTIVATE,
        choices=("latest", "every"),
    ),
    Parameter(
        "queue_size",
        10,
        "Frames that may wait in mode `every`, at most 512 MiB together; when it is full, the oldest is dropped.",
        AT_ACTIVATE,
        low=1,
        high=1000,
    ),
    Parameter(
        "image_reliability",
        "auto",
        "`auto`: reliable if every publisher of the image offers it, checked again when publishers come or go.",
        AT_ACTIVATE,
        choices=("auto", "best_effort", "reliable"),
    ),
    Parameter("max_image_pixels", 40_000_000, "Images with more pixels are refused.", low=1, high=1 << 30),
    Parameter(
        "image_bits",
        0,
        "Bits in use of 16-bit images (`mono16`, `rgb16`, `bayer_rggb16`, 16-bit PNG …), for example 12; 0: found in "
        "the values, and said in the log and on /diagnostics.",
        AT_ACTIVATE,
        low=0,
        high=16,
    ),
    Parameter(
        "refuse_damaged_jpegs",
        True,
        "Refuse JPEGs whose decoder reports damage. Some webcams (Logitech C270) write such files always: "
        "false takes them, and really damaged ones, too.",
    ),
    Parameter(
        "max_age_ms",
        1000.0,
        "Diagnostics warn when results are older than this at publication, or a frame is in hand for longer; in hand "
        "for 2.5 times as long is an error. 0: no limit.",
        low=0.0,
        high=1e6,
    ),
    *THRESHOLD_PARAMETERS,
    *TRACKING_PARAMETERS,
    *CALM_PARAMETERS,
    *CAUTION_PARAMETERS,
    Parameter(
        "gradient.p",
        0.5,
        "Order p of the norm in gradient scores.",
        AT_CONFIGURE,
        low=SMALLEST_P,
        high=LARGEST_P,
    ),
    Parameter(
        "gradient.variant",
        "exact",
        "`exact`: softmax minus label, times the features; `published`: as the authors' code computes it.",
        AT_CONFIGURE,
        choices=get_args(Variant),
    ),
    Parameter(
        "gradient.label",
        "onehot",
        "Label whose gradient `~/gradient` shows: the predicted class, or the uniform distribution.",
        choices=LABELS,
    ),
    Parameter(
        "entropy_encoding",
        "mono8",
        "Encoding of `~/entropy`, `~/margin` and `~/gradient`: 0 to 255, or floats (0 to 1; logarithms for gradients).",
        choices=("mono8", "32FC1"),
    ),
    Parameter(
        "publish_all_segments", False, "Publish a detection in `~/segments` for every segment, not only flagged ones."
    ),
    *OUTPUT_PARAMETERS,
    Parameter("overlay.alpha", 0.5, "Share of the class colour in `~/overlay`.", low=0.0, high=1.0),
    *LIVENESS_PARAMETERS,
    *TRUST_STATE_PARAMETERS,
)
"""All parameters; the parameters of a group follow each other."""

BY_NAME: Mapping[str, Parameter] = {parameter.name: parameter for parameter in TABLE}
