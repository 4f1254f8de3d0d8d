"""Writes a preprocessor_config.json for an ``InputSpec``."""

from __future__ import annotations

from typing import Any

from trust_seg_ros.segmentation.protocol import InputSpec


def processor_settings(spec: InputSpec) -> dict[str, Any]:
    """Content of a preprocessor_config.json from which ``input_spec_of`` reads ``spec`` again, up to its stride.

    The class is MobileViT's where nothing but the channel order is changed, else SegFormer's, which normalises; its
    ``do_flip_channel_order`` is understood by this package only.
    """
    flip = spec.order == "bgr"
    mean, std = (list(values[::-1] if flip else values) for values in (spec.mean, spec.std))
    plain = set(mean) == {0.0} and set(std) == {1.0}
    return {
        "image_processor_type": "MobileViTImageProcessor" if flip and plain else "SegformerImageProcessor",
        "do_resize": spec.size is not None or spec.edges is not None,
        **_size_settings(spec),
        "do_center_crop": False,
        "do_rescale": True,
        "rescale_factor": spec.scale,
        "do_normalize": not plain,
        "image_mean": mean,
        "image_std": std,
        "do_flip_channel_order": flip,
    }


def _size_settings(spec: InputSpec) -> dict[str, Any]:
    if spec.size is not None:
        return {"size": {"height": spec.size[0], "width": spec.size[1]}}
    edges = spec.edges
    if edges is None:
        return {}
    if edges.least is not None:
        return {"size": {"height": edges.least[0], "width": edges.least[1]}, "keep_aspect_ratio": True}
    if edges.box is not None:
        return {"size": {"max_height": edges.box[0], "max_width": edges.box[1]}}
    both = {"shortest_edge": edges.shortest, "longest_edge": edges.longest}
    return {"size": {key: value for key, value in both.items() if value is not None}}
