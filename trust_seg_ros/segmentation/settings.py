"""The user's choice of a network and how it is run, as plain values that can be sent to other processes."""

from __future__ import annotations

from dataclasses import dataclass

from trust_seg_ros.segmentation.labels import LabelSet, load_labels
from trust_seg_ros.segmentation.passes import Average, Passes
from trust_seg_ros.segmentation.protocol import SegmentationNetwork


@dataclass(frozen=True)
class NetworkSettings:
    """The arguments of ``load_network`` for one network.

    Attributes:
        model: "embedded", "hf:org/name", a folder, a .pt2 or TorchScript file, "package.module:callable".
        labels: label set by name or YAML file; "" = the network's own.
        device: "auto", "cpu", "cuda", "cuda:1", ...
        half: "auto" (on a GPU), "on" or "off".
        input_size: (height, width) the network sees; (0, 0) = as the image; None = its own.
        mean, std: normalisation of RGB in 0..1; None = the network's own.
        order: "rgb" or "bgr"; None = the network's own.
        model_sha256: hash that the network must have, or its first 12 digits or more; "" = any.
        features_layer: layer whose output feature scores compare, by its name in the network; "" = the input of the
            last layer, if that is a 1x1 convolution.
        backend: library that runs the network: "torch", "onnxruntime", "openvino", "tensorrt", or "auto", the fastest.
        providers: what ONNX Runtime computes by, with commas: "cuda", "tensorrt", …; "" = as the device says.
        window, window_overlap, scales, flip, average: how often it looks at an image and how its answers are averaged,
            see ``segmentation.passes.Passes``; by default once.
        cuda_graph: "off" or "on": record passes of the network on a GPU and replay them, see
            ``segmentation.graph_capture``; never tried on a device so far.
    """

    model: str = "embedded"
    labels: str = ""
    device: str = "auto"
    half: str = "auto"
    input_size: tuple[int, int] | None = None
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    order: str | None = None
    model_sha256: str = ""
    features_layer: str = ""
    backend: str = "torch"
    providers: str = ""
    window: tuple[int, int] | None = None
    window_overlap: float = 0.25
    scales: tuple[float, ...] = (1.0,)
    flip: bool = False
    average: Average = "logits"
    cuda_graph: str = "off"

    @property
    def passes(self) -> Passes:
        """How often the network looks at an image.

        Raises:
            ModelSpecError: a value is out of range.
        """
        window = None if self.window is None else (self.window[0], self.window[1])
        return Passes(window, self.window_overlap, tuple(self.scales), self.flip, self.average)

    def load(self) -> SegmentationNetwork:
        """The network, ready to use; may take seconds.

        Raises:
            TrustSegError: as ``load_network``.
        """
        from trust_seg_ros.segmentation.loader import load_network

        return load_network(
            self.model,
            labels=self.labels or None,
            device=self.device,
            half=self.half,
            input_size=self.input_size,
            mean=self.mean,
            std=self.std,
            order=self.order,
            sha256=self.model_sha256,
            features_layer=self.features_layer,
            backend=self.backend,
            providers=self.providers,
            passes=self.passes,
            cuda_graph=self.cuda_graph == "on",
        )

    def label_set(self) -> LabelSet:
        """Names of the classes; loads the network only if ``labels`` does not name them.

        Raises:
            TrustSegError: as ``load_network``.
        """
        return load_labels(self.labels) if self.labels else self.load().labels
