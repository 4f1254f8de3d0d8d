"""Scores of mask networks (MaskFormer, Mask2Former, …): of their class sums, and of the queries themselves.

The class sums and masks are brought to the output grid as they are. The papers bring mask *logits* there before the
sigmoid; with masks at a quarter of the image the difference lies within a pixel of the masks' edges.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from trust_seg_ros.types import LogitMaps
from trust_seg_ros.uncertainty.banded import bands
from trust_seg_ros.uncertainty.class_sums import fill_rejection
from trust_seg_ros.uncertainty.errors import LogitsError, MaskQueriesNeededError
from trust_seg_ros.uncertainty.fast import fill_scores
from trust_seg_ros.uncertainty.logits import Prepared, prepare_sums
from trust_seg_ros.uncertainty.maps import uncertainty_maps
from trust_seg_ros.uncertainty.mask_kernels import fill_second_largest

CONFIDENT, BORDER = 0.7, 0.1
"""Of ``maskomaly``: P(class) above which a query rejects anomalies; mask value above which two queries meet."""


@dataclass(frozen=True)
class PreparedQueries:
    """Queries that are safe to compute with.

    Attributes:
        probabilities: (Q, q) float32 in [0, 1], P(class) of each query.
        masks: the masks (Q, h, w) float32 in [0, 1], and where sums or masks are not finite.
    """

    probabilities: torch.Tensor
    masks: Prepared


def prepare_queries(maps: LogitMaps, what: str) -> PreparedQueries:
    """Check the queries of a mask network's answer, and make them finite.

    Args:
        maps: the answer.
        what: what needs them, for the error's text.

    Raises:
        MaskQueriesNeededError: the answer holds none.
        LogitsError: they do not fit the class sums, or those cannot be used.
    """
    if maps.queries is None:
        raise MaskQueriesNeededError(
            f"{what} needs the masks of a mask network (MaskFormer, Mask2Former, …), but this network gives one map "
            "per class and no masks, or an average over windows, scales or mirrored images, which has none. Use "
            "entropy, margin or variation_ratio, or a mask network that looks once"
        )
    sums = prepare_sums(maps)
    given, planes = maps.queries.probabilities, maps.queries.masks
    q, h, w = sums.values.shape
    if planes.ndim != 3 or tuple(planes.shape[1:]) != (h, w) or tuple(given.shape) != (len(planes), q):
        raise LogitsError(
            f"the queries have probabilities {tuple(given.shape)} and masks {tuple(planes.shape)}; expected (Q, {q}) "
            f"and (Q, {h}, {w}), on the grid of the class sums"
        )
    masks = planes.detach().to(torch.float32).contiguous()
    bad = sums.bad
    missing = ~masks.isfinite()
    if bool(missing.any()):
        bad = missing.any(0) if bad is None else bad | missing.any(0)
        masks = masks.masked_fill(missing, 0.0)
    probabilities = torch.nan_to_num(given.detach().to(torch.float32), 0.0).clamp(0.0, 1.0).contiguous()
    return PreparedQueries(probabilities, Prepared(masks.clamp(0.0, 1.0), bad, maps.size))


def rba(maps: LogitMaps) -> torch.Tensor:
    """-sum_c tanh L_c, "rejected by all" (Nayal et al., RbA, ICCV 2023; sign and tanh as in the authors' code).

    The classes are taken one by one, as queries behave like one-against-all classifiers. That is a property of mask
    networks: neither the paper nor its code defines it for the logits of a softmax, so other networks are refused.

    Args:
        maps: class sums (q, h, w) on any device.

    Returns:
        (H, W) float32 in [-q, 0] on the same device, about -1 where one class claims a pixel and 0 where none does;
        +inf at faulty pixels. Within 1e-6 of the definition, relatively.

    Raises:
        MaskQueriesNeededError: the network is no mask network.
        LogitsError: the sums cannot be used.
    """
    sums = _sums(maps, "rba")
    out = torch.empty(sums.size, device=sums.values.device)
    if _compiled(out):
        fill_rejection(sums.array(), out.numpy())
    else:
        for rows, values in bands(sums):
            out[rows] = values.tanh_().sum(0).neg_()
    return _overwrite_faulty(out, sums)


def max_class_sum(maps: LogitMaps) -> torch.Tensor:
    """1 - max_c L_c (Rai et al., Unmasking anomalies in road-scene segmentation, ICCV 2023, without its refinement).

    Args, Raises: as :func:`rba`.

    Returns:
        (H, W) float32, at most 1, below 0 where several queries claim a pixel for one class; +inf at faulty pixels.
    """
    sums = _sums(maps, "max_class_sum")
    return _overwrite_faulty(_minus_largest(sums).add_(1.0), sums)


def class_sum_entropy(maps: LogitMaps) -> torch.Tensor:
    """Entropy of softmax(L), divided by log q: the class sums taken for logits, as some baselines do.

    As a sum is rarely above 1, softmax(L) is nearly uniform, and this is near 1 everywhere: another unit than
    ``entropy``, which is that of L / sum L. ("softmax_entropy" beside "sum_entropy" in the code of Nayal et al. 2023.)

    Args, Raises: as :func:`rba`.

    Returns:
        (H, W) float32 in [0, 1]; +inf at faulty pixels.
    """
    sums = _sums(maps, "class_sum_entropy")
    found = uncertainty_maps(LogitMaps(sums.values, maps.size))
    return _overwrite_faulty(found.entropy, sums)


def mask_uncertainty(maps: LogitMaps) -> torch.Tensor:
    """1 - max_q (max_c P_q(c)) mask_q: no single query claims the pixel, with a class it is sure of.

    The confidence of panoptic inference (Cheng et al., MaskFormer, 2021, section 3.3: argmax over queries of
    P_q(c_q) mask_q), as an uncertainty. Scaled masks are brought to the grid, which is the same as scaling there.
    Memory besides the score: one copy of the masks at their own resolution, 4 Q h w bytes.

    Args:
        maps: class sums with queries, on any device.

    Returns:
        (H, W) float32 in [0, 1] on the same device; +inf at faulty pixels.

    Raises:
        MaskQueriesNeededError: the answer holds no queries.
        LogitsError: they cannot be used.
    """
    queries = prepare_queries(maps, "the score 'mask_uncertainty'")
    return _overwrite_faulty(_unclaimed_share(queries, queries.probabilities.amax(1)), queries.masks)


def maskomaly(maps: LogitMaps) -> torch.Tensor:
    """What no confident query claims, without the borders between masks (Ackermann et al., Maskomaly, BMVC 2023).

    The rejection of Maskomaly: the minimum of 1 - P_q mask_q over the queries whose likeliest class is not "no object"
    and has P_q > 0.7, and 0 where two masks of such queries, whatever their P, exceed 0.1. Left out is what depends on
    one checkpoint: queries that happen to fire on anomalies (chosen by IoU on images with labelled anomalies, weight
    0.4) and those of the ground. Formula and constants are those of the authors' code (github.com/jan-ackermann/
    Maskomaly, maskomaly/model.py). Memory besides the score: two copies of the masks at their own resolution, and one
    more map.

    Args, Raises: as :func:`mask_uncertainty`.

    Returns:
        (H, W) float32 in [0, 1] on the same device; +inf at faulty pixels.
    """
    queries = prepare_queries(maps, "the score 'maskomaly'")
    likeliest = queries.probabilities.amax(1)
    score = _unclaimed_share(queries, likeliest * (likeliest > CONFIDENT))
    objects = likeliest >= 1.0 - queries.probabilities.sum(1)
    squares = 1 if maps.queries is None else maps.queries.squares
    # an object where squares overlap has a mask in each: that is no border
    for seen, values in zip(objects.chunk(squares), queries.masks.values.chunk(squares), strict=True):
        if int(seen.sum()) >= 2:
            score.masked_fill_(_second_largest(replace(queries.masks, values=values[seen])) > BORDER, 0.0)
    return _overwrite_faulty(score, queries.masks)


def _sums(maps: LogitMaps, name: str) -> Prepared:
    if not maps.linear:
        raise MaskQueriesNeededError(
            f"the score {name!r} needs the class sums of a mask network (MaskFormer, Mask2Former, …), but this network "
            "gives one map per class. Use energy, entropy, margin or variation_ratio, or load a mask network"
        )
    return prepare_sums(maps)


def _unclaimed_share(queries: PreparedQueries, weights: torch.Tensor) -> torch.Tensor:
    """1 - max_q weights[q] mask_q on the output grid; 1 without a query of any weight."""
    counts = weights > 0.0
    masks = queries.masks
    if not bool(counts.any()):
        return torch.ones(masks.size, device=masks.values.device)
    values = masks.values[counts].mul_(weights[counts][:, None, None])
    return _minus_largest(replace(masks, values=values)).add_(1.0)


def _minus_largest(planes: Prepared) -> torch.Tensor:
    out = torch.empty(planes.size, device=planes.values.device)
    if _compiled(out):
        fill_scores(planes.array(), out.numpy(), energy=False)
    else:
        for rows, values in bands(planes):
            out[rows] = values.amax(0).neg_()
    return out


def _second_largest(planes: Prepared) -> torch.Tensor:
    out = torch.empty(planes.size, device=planes.values.device)
    if _compiled(out):
        fill_second_largest(planes.array(), out.numpy())
    else:
        for rows, values in bands(planes):
            out[rows] = values.topk(2, dim=0).values[1]
    return out


def _compiled(out: torch.Tensor) -> bool:
    return out.device.type == "cpu"


def _overwrite_faulty(out: torch.Tensor, prepared: Prepared) -> torch.Tensor:
    faulty = prepared.faulty()
    return out if faulty is None else out.masked_fill_(faulty, torch.inf)
