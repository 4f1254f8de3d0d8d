"""The embedded compact network: 11 CamVid classes, at most 1.5 M parameters, logits at a quarter of the input.

A residual encoder whose blocks split their channels over two dilations (the idea of RegSeg, Gao 2021), so that a
few layers at 1/16 resolution see the whole image, and a light decoder over the 1/4, 1/8 and 1/16 feature maps.
The last layer is a 1x1 convolution, so its input and kernel serve closed-form gradient scores.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.segmentation.labels import MAX_CLASSES
from trust_seg_ros.support.content_hash import DamagedError
from trust_seg_ros.support.reading import lfs_pointer, reason
from trust_seg_ros.support.tensor_file import load_tensors, save_tensors

SHIPPED = Path(__file__).parent / "weights" / "compact_camvid11_ood.safetensors"

MEAN = (0.411, 0.425, 0.432)
STD = (0.302, 0.307, 0.305)
"""Mean and standard deviation of the CamVid training images, RGB in 0..1."""
INPUT_SIZE = (416, 544)
"""Input of the networks trained on CamVid: larger than its images, which gained 1.4 points of mIoU on val."""


class CompactWeightsError(TrustSegError):
    """A weights file is missing, corrupt, or of another network."""


@dataclass(frozen=True)
class CompactConfig:
    """The shape of a compact network.

    Attributes:
        classes: number of classes q.
        stem, quarter, eighth, sixteenth: channels at 1/2, 1/4, 1/8 and 1/16 resolution.
        eighth_blocks: number of blocks at 1/8.
        dilations: second dilation of every block at 1/16; one entry per block.
        decoder: channels of the decoder, the D of the last layer's input.
        dropout: share of last-layer inputs dropped in training.

    Raises:
        ValueError: a value that no sensible network has: a damaged file must not ask for a billion blocks.
    """

    classes: int = 11
    stem: int = 32
    quarter: int = 48
    eighth: int = 128
    sixteenth: int = 192
    eighth_blocks: int = 3
    dilations: tuple[int, ...] = (1, 2, 4, 4, 8, 8, 4, 2)
    decoder: int = 64
    dropout: float = 0.1

    def __post_init__(self) -> None:
        widths = (self.stem, self.quarter, self.eighth, self.sixteenth, self.decoder)
        blocks = (self.eighth_blocks, len(self.dilations), *self.dilations)
        for values, most in (((self.classes,), MAX_CLASSES), (widths, 1024), (blocks, 64)):
            if not all(isinstance(value, int) and 1 <= value <= most for value in values):
                raise ValueError(f"{self}: expected whole numbers from 1 to {most}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}; expected 0 to 1")

    def to_json(self) -> dict[str, object]:
        """Plain values for the weights file's metadata."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}


def _conv(inp: int, out: int, kernel: int = 1, stride: int = 1, relu: bool = True) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.Conv2d(inp, out, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(out),
    ]
    if relu:
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


class _SqueezeExcite(nn.Module):
    def __init__(self, channels: int, reduced: int) -> None:
        super().__init__()
        self.down = nn.Conv2d(channels, reduced, 1)
        self.up = nn.Conv2d(reduced, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = self.up(F.relu(self.down(x.mean((2, 3), keepdim=True))))
        return x * torch.sigmoid(weight)


class _Block(nn.Module):
    """1x1, grouped 3x3 at two dilations, squeeze-and-excite, 1x1, with a residual."""

    def __init__(self, inp: int, out: int, stride: int = 1, dilation: int = 1, group_width: int = 16) -> None:
        super().__init__()
        self.reduce = _conv(inp, out)
        half = out // 2
        rates = (1, dilation) if dilation > 1 else (1,)
        part = half if dilation > 1 else out
        self.split = nn.ModuleList(
            nn.Conv2d(part, part, 3, stride, r, dilation=r, groups=part // group_width, bias=False) for r in rates
        )
        self.norm = nn.BatchNorm2d(out)
        self.excite = _SqueezeExcite(out, max(inp // 4, 8))
        self.expand = _conv(out, out, relu=False)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1:
            self.shortcut = nn.Sequential(nn.AvgPool2d(2, 2, ceil_mode=True), _conv(inp, out, relu=False))
        elif inp != out:
            self.shortcut = _conv(inp, out, relu=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.reduce(x)
        if len(self.split) == 1:
            y = self.split[0](y)
        else:
            first, second = y.chunk(2, 1)
            y = torch.cat([self.split[0](first), self.split[1](second)], 1)
        y = F.relu(self.norm(y), inplace=True)
        return F.relu(self.expand(self.excite(y)) + self.shortcut(x), inplace=True)


class CompactNet(nn.Module):
    """Forward: (B, 3, H, W) normalised RGB -> logits (B, q, H/4, W/4), features (B, D, H/4, W/4); sizes round up.

    Attributes:
        classifier: the last 1x1 convolution, with bias.
        mean, std: normalisation of the input, RGB in 0..1.
        input_size: (height, width) that images are stretched to.
        sha256: hash of the weights file; "" for a network that was not loaded from one.
    """

    mean: Sequence[float] = MEAN
    std: Sequence[float] = STD
    input_size: tuple[int, int] = INPUT_SIZE
    sha256: str = ""

    def __init__(self, config: CompactConfig | None = None) -> None:
        super().__init__()
        self.config = c = config or CompactConfig()
        self.stem = _conv(3, c.stem, 3, 2)
        self.quarter = _Block(c.stem, c.quarter, 2)
        self.eighth = nn.Sequential(
            _Block(c.quarter, c.eighth, 2), *(_Block(c.eighth, c.eighth) for _ in range(c.eighth_blocks - 1))
        )
        blocks = [_Block(c.eighth, c.sixteenth, 2)]
        blocks += [_Block(c.sixteenth, c.sixteenth, 1, d) for d in c.dilations]
        self.sixteenth = nn.Sequential(*blocks)
        wide = 2 * c.decoder
        self.pool = nn.Conv2d(c.sixteenth, wide, 1)  # no batch norm: one value per image and channel
        self.head16 = _conv(c.sixteenth, wide)
        self.head8 = _conv(c.eighth, wide)
        self.head4 = _conv(c.quarter, c.decoder // 4)
        self.fuse8 = _conv(wide, c.decoder, 3)
        self.fuse4 = _conv(c.decoder + c.decoder // 4, c.decoder, 3)
        self.dropout = nn.Dropout2d(c.dropout)
        self.classifier = nn.Conv2d(c.decoder, c.classes, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits and the last layer's input, both at a quarter of the input's size."""
        x4 = self.quarter(self.stem(x))
        x8 = self.eighth(x4)
        x16 = self.sixteenth(x8)
        y = self.head16(x16) + self.pool(x16.mean((2, 3), keepdim=True))
        y = F.interpolate(y, size=x8.shape[2:], mode="bilinear", align_corners=False)
        y = self.fuse8(y + self.head8(x8))
        y = F.interpolate(y, size=x4.shape[2:], mode="bilinear", align_corners=False)
        features = self.fuse4(torch.cat([y, self.head4(x4)], 1))
        return self.classifier(self.dropout(features)), features


def save_compact(net: CompactNet, path: Path, notes: dict[str, str] | None = None) -> None:
    """Write weights as safetensors: kernels in float16, batch-norm statistics in float32; atomic, with a content hash.

    Args:
        net: the network.
        path: file to write.
        notes: further metadata, names and values as text.
    """
    tensors = {
        name: (value.half() if value.ndim > 1 else value.float()).contiguous().cpu()
        for name, value in net.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    own = {"config": json.dumps(net.config.to_json())}
    if (tuple(net.mean), tuple(net.std), tuple(net.input_size)) != (MEAN, STD, INPUT_SIZE):
        own["input"] = json.dumps({"mean": list(net.mean), "std": list(net.std), "size": list(net.input_size)})
    save_tensors(path, tensors, {**own, **(notes or {})})


def _set_input(net: CompactNet, metadata: Mapping[str, str]) -> None:
    """Normalisation and size of the input that a file names; those of the networks trained on CamVid if it names none.

    Raises:
        ValueError: values that no input has.
    """
    if "input" not in metadata:
        return
    found = json.loads(metadata["input"])
    mean, std = (tuple(float(v) for v in found[name]) for name in ("mean", "std"))
    size = tuple(found["size"])
    if (len(mean), len(std), len(size)) != (3, 3, 2) or min(std) <= 0:
        raise ValueError(f"input {found}; expected three means, three positive standard deviations, height and width")
    if not all(isinstance(n, int) and 32 <= n <= 8192 for n in size):
        raise ValueError(f"input size {size}; expected height and width from 32 to 8192")
    net.mean, net.std, net.input_size = mean, std, (size[0], size[1])


def load_compact(device: torch.device | str = "cpu", weights: Path | None = None) -> CompactNet:
    """The embedded network in evaluation mode, float32.

    Args:
        device: device it runs on.
        weights: a file written by ``save_compact``; None = the shipped one.

    Raises:
        CompactWeightsError: no such file, not safetensors, damaged, or not weights of a compact network.
    """
    path = weights or SHIPPED
    if not path.is_file():
        raise CompactWeightsError(f"{path}: no such weights file; train one with `trust-seg train` or reinstall")
    shipped = path.parent == SHIPPED.parent
    way_out = "install the package again" if shipped else "copy it again from where it was trained, or train it again"
    try:
        file = load_tensors(path, way_out)
        fields = json.loads(file.metadata["config"])
        fields["dilations"] = tuple(fields["dilations"])
        net = CompactNet(CompactConfig(**fields))
        _set_input(net, file.metadata)
        missing, unexpected = net.load_state_dict({k: v.float() for k, v in file.tensors.items()}, strict=False)
    except DamagedError as error:
        raise CompactWeightsError(str(error)) from error
    except Exception as error:  # a damaged file makes its readers raise nearly everything
        raise CompactWeightsError(
            f"{path}: not weights of a compact network ({lfs_pointer(path) or reason(error)})"
        ) from error
    missing = [m for m in missing if not m.endswith("num_batches_tracked")]
    if missing or unexpected:
        raise CompactWeightsError(f"{path}: weights do not fit; missing {missing}, unexpected {unexpected}")
    net.sha256 = file.sha256
    return net.to(device).eval()
