"""How Hugging Face image processors prepare an image, as an ``InputSpec``.

A preprocessor_config.json holds what differs from the defaults of its processor's class, and the classes differ:
MobileViT's does not normalise and wants blue first. So the defaults of each class stand here; the processors themselves
need Pillow or torchvision and are slower. A test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from trust_seg_ros.segmentation.errors import ModelFileError, ModelSpecError
from trust_seg_ros.segmentation.masks.processors import DEFAULT_SIZE, EOMT_SIZE, eomt_sized, mask_sized
from trust_seg_ros.segmentation.protocol import IMAGENET_MEAN, IMAGENET_STD, Edges, InputSpec

STRIDE = 32
"""Sides are rounded to multiples of this for a model without a fixed input size."""

Triple = tuple[float, float, float]

_HALF: Triple = (0.5, 0.5, 0.5)
_CLIP = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class ProcessorClass:
    """Defaults of a class of image processors.

    Attributes:
        size: an int, [h, w], or a mapping as in preprocessor_config.json; None = as the image.
        mean, std: of the image after scaling.
        square: whether a single number as size means a square; else the shorter side.
        crop: whether the centre is cut out after resizing.
        crop_size: size of that.
        normalises: what ``do_normalize`` is by default; None = never, whatever the file says.
        flips: whether red and blue are swapped.
        include_top: whether the result is divided by std once more.
        warps_from: sizes of at least this are squares, smaller ones the shorter side of a crop of 224/256 of it.
        divisor: of a mask network's processor, sides are rounded up to multiples of this; None = not of a mask network.
    """

    size: Any = None
    mean: Triple = _HALF
    std: Triple = _HALF
    square: bool = True
    crop: bool = False
    crop_size: Any = 224
    normalises: bool | None = True
    flips: bool = False
    include_top: bool = False
    warps_from: int = 0
    divisor: int | None = None


_IMAGENET = ProcessorClass(mean=IMAGENET_MEAN, std=IMAGENET_STD)
_MASKS = replace(_IMAGENET, size=DEFAULT_SIZE, square=False, divisor=1)

CLASSES: dict[str, ProcessorClass] = {
    "Segformer": replace(_IMAGENET, size=512),
    "MobileViT": ProcessorClass(224, square=False, crop=True, crop_size=256, normalises=None, flips=True),
    "MobileNetV1": ProcessorClass(256, square=False, crop=True),
    "MobileNetV2": ProcessorClass(256, square=False, crop=True),
    "DPT": ProcessorClass(384),
    "Beit": ProcessorClass(224),
    "DeiT": ProcessorClass(256, crop=True),
    "ViT": ProcessorClass(224),
    "ConvNext": ProcessorClass(384, square=False, warps_from=384),
    "EfficientNet": ProcessorClass(346, crop_size=289, include_top=True),
    "Bit": ProcessorClass(224, *_CLIP, square=False, crop=True),
    "CLIP": ProcessorClass(224, *_CLIP, square=False, crop=True),
    "Siglip": ProcessorClass([224, 224], square=False),
    "Levit": replace(_IMAGENET, size=224, square=False, crop=True),
    "PoolFormer": replace(_IMAGENET, size=224, square=False, crop=True),
    "Sapiens2": replace(_IMAGENET, size=[1024, 768]),
    "Tipsv2Dpt": ProcessorClass(448, normalises=False),
    "MaskFormer": replace(_MASKS, divisor=32),
    "Mask2Former": replace(_MASKS, divisor=32),
    "OneFormer": _MASKS,
    "Detr": _MASKS,
    "Eomt": replace(_MASKS, size=EOMT_SIZE),
}
"""Name of a class without "ImageProcessor" -> its defaults."""

_OF_MODELS = {
    "segformer": "Segformer",
    "mobilevit": "MobileViT",
    "mobilevitv2": "MobileViT",
    "mobilenet_v1": "MobileNetV1",
    "mobilenet_v2": "MobileNetV2",
    "dpt": "DPT",
    "beit": "Beit",
    "data2vec-vision": "Beit",
    "upernet": "Segformer",
    "sapiens2": "Sapiens2",
    "tipsv2_dpt": "Tipsv2Dpt",
    "maskformer": "MaskFormer",
    "mask2former": "Mask2Former",
    "oneformer": "OneFormer",
    "detr": "Detr",
    "eomt": "Eomt",
    "eomt_dinov3": "Eomt",
}
"""Kind of model -> its processor's class, for files that do not name it."""
_OF_ONE_SIZE = {"beit", "data2vec-vision", "dpt"}
"""Models with positions learned for ``image_size``; their semantic heads take squares only."""


def input_spec_of(
    settings: Mapping[str, Any], name: str, model_type: str = "", image_size: Any = None, *, absent: bool = False
) -> InputSpec:
    """The input that an image processor's settings describe.

    A fixed height and width are used. A shorter or longer side keeps the image's aspect, its sides in multiples of 32;
    where the processor would cut out the centre then, the whole image is used at the same scale.

    Args:
        settings: content of preprocessor_config.json; null switches a step (``do_…``) off, and stands for the default
            of the class elsewhere.
        name: name of the model, for messages.
        model_type: kind of the model, which decides the class where the settings do not name one.
        image_size: the size in the model's configuration.
        absent: there is no such file, and the model's own size is used where it needs one.

    Raises:
        ModelFileError: a setting is malformed.
    """
    given = {key: value for key, value in settings.items() if value is not None}
    given |= {key: False for key, value in settings.items() if value is None and key.startswith("do_")}
    defaults, remark = _class_of(given, model_type)
    try:
        spec = _normalisation(given, defaults)
        if model_type.startswith("eomt") or defaults is CLASSES["Eomt"]:
            return replace(eomt_sized(spec, given, image_size, absent), remark=remark)
        if defaults.divisor is not None:
            return replace(mask_sized(spec, given, defaults.size, defaults.divisor), remark=remark)
        if absent:
            size = _pair(image_size) if model_type in _OF_ONE_SIZE and image_size else None
            return replace(spec, size=size, remark=remark)
        sized = _sized(spec, given, defaults)
        if sized.edges is not None and model_type in _OF_ONE_SIZE:  # it takes no other aspect
            cropped = given.get("do_center_crop", defaults.crop)
            own = given.get("crop_size", defaults.crop_size) if cropped else image_size
            sized = replace(sized, edges=None, size=sized.edges.least or _fixed(own))
        return replace(sized, remark=remark)
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError, ModelSpecError) as error:
        raise ModelFileError(f"{name}: malformed preprocessor_config.json: {type(error).__name__}: {error}") from error


def _class_of(given: Mapping[str, Any], model_type: str) -> tuple[ProcessorClass, str]:
    """The defaults that apply, and a remark if they are a guess that matters."""
    named = str(given.get("image_processor_type", given.get("feature_extractor_type", "")))
    kind = named.removesuffix("Fast").removesuffix("Pil")
    kind = kind.removesuffix("ImageProcessor").removesuffix("FeatureExtractor")
    kind = kind or _OF_MODELS.get(model_type, "")
    if kind in CLASSES:
        return CLASSES[kind], ""
    guessed = [key for key in ("image_mean", "image_std", "size") if key not in given and _needs(key, given)]
    if not named or not guessed:
        return _IMAGENET, ""
    return _IMAGENET, (
        f"the image processor {named} is not known here: {', '.join(guessed)}, which preprocessor_config.json leaves "
        "out, are taken as ImageNet's and as the image; set mean, std and input_size if that is wrong"
    )


def _needs(key: str, given: Mapping[str, Any]) -> bool:
    return bool(given.get("do_resize" if key == "size" else "do_normalize", True))


def _normalisation(given: Mapping[str, Any], defaults: ProcessorClass) -> InputSpec:
    scale = float(given.get("rescale_factor", 1 / 255)) if given.get("do_rescale", True) else 1.0
    mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    own = _triple(given.get("image_std", defaults.std))
    if defaults.normalises is not None and given.get("do_normalize", defaults.normalises):
        mean, std = _triple(given.get("image_mean", defaults.mean)), own
    if given.get("rescale_offset", False) and given.get("do_rescale", True):  # scaled to -1..1
        mean = _triple([value + 1 for value in mean])
    if given.get("include_top", defaults.include_top):
        std = _triple([value * again for value, again in zip(std, own, strict=True)])
    older = given.get("do_flip_channels", given.get("do_flip_channel", defaults.flips))
    flip = bool(given.get("do_flip_channel_order", older))
    if flip:  # such processors name the values in the flipped order
        mean, std = mean[::-1], std[::-1]
    return InputSpec(mean=mean, std=std, order="bgr" if flip else "rgb", scale=scale, stride=STRIDE)


def _sized(spec: InputSpec, given: Mapping[str, Any], defaults: ProcessorClass) -> InputSpec:
    """``spec`` with the size that the processor gives an image."""
    if not given.get("do_resize", True):
        return spec
    size = given.get("size", defaults.size)
    if isinstance(size, int) and not isinstance(size, bool) and not given.get("default_to_square", defaults.square):
        size = {"shortest_edge": size}
    if defaults.warps_from and isinstance(size, Mapping) and "shortest_edge" in size:
        side = int(size["shortest_edge"])
        size = side if side >= defaults.warps_from else {"shortest_edge": int(side * 256 / 224)}
    fixed = _fixed(size)
    if fixed is None:
        return replace(spec, edges=_edges(size))
    if given.get("keep_aspect_ratio", False):
        return replace(spec, edges=Edges(least=fixed))
    if given.get("do_center_crop", defaults.crop):
        fixed = _fixed(given.get("crop_size", defaults.crop_size)) or fixed
    return replace(spec, size=fixed)


def _fixed(size: Any) -> tuple[int, int] | None:
    """(h, w) if both are given; None for edges, or if nothing is given."""
    if size is None or (isinstance(size, Mapping) and not {"height", "width"} <= size.keys()):
        return None
    return _pair([size["height"], size["width"]] if isinstance(size, Mapping) else size)


def _edges(size: Any) -> Edges | None:
    if size is None:
        return None
    known = {key: int(size[key]) for key in ("shortest_edge", "longest_edge") if size.get(key) is not None}
    if known:
        return Edges(known.get("shortest_edge"), known.get("longest_edge"))
    if size.get("max_height") is not None and size.get("max_width") is not None:
        return Edges(box=(int(size["max_height"]), int(size["max_width"])))
    raise ValueError(f"size is {dict(size)!r}; expected height and width, shortest_edge or longest_edge")


def _pair(size: Any) -> tuple[int, int]:
    if isinstance(size, bool):
        raise TypeError(f"size is {size}; expected whole numbers")
    height, width = (size, size) if isinstance(size, int) else (int(value) for value in size)
    return height, width


def _triple(values: Any) -> Triple:
    if isinstance(values, (int, float)):
        values = [values] * 3
    red, green, blue = (float(v) for v in values)
    return red, green, blue
