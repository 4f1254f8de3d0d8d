"""Rotations as quaternions (x, y, z, w), as ROS writes them, in plain Python: faster than arrays for one at a time."""

from __future__ import annotations

import math

import numpy as np

Quaternion = tuple[float, float, float, float]
Vector = tuple[float, float, float]

_NEARLY_PARALLEL = 0.9995


def product(a: Quaternion, b: Quaternion) -> Quaternion:
    """First ``b``, then ``a``."""
    (ax, ay, az, aw), (bx, by, bz, bw) = a, b
    return (
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
        aw * bw - ax * bx - ay * by - az * bz,
    )


def conjugate(q: Quaternion) -> Quaternion:
    """The way back."""
    return -q[0], -q[1], -q[2], q[3]


def rotate(q: Quaternion, v: Vector) -> Vector:
    """``v`` turned by ``q``."""
    x, y, z, _ = product(product(q, (*v, 0.0)), conjugate(q))
    return x, y, z


def unit(q: Quaternion) -> Quaternion:
    """Of length 1."""
    length = math.sqrt(sum(part * part for part in q))
    return q[0] / length, q[1] / length, q[2] / length, q[3] / length


def slerp(a: Quaternion, b: Quaternion, ratio: float) -> Quaternion:
    """The rotation ``ratio`` of the way from ``a`` to ``b``, by the shorter way; beyond 1 it goes on turning."""
    cosine = sum(p * q for p, q in zip(a, b, strict=True))
    if cosine < 0:
        b, cosine = (-b[0], -b[1], -b[2], -b[3]), -cosine
    if cosine > _NEARLY_PARALLEL:
        first, second = 1 - ratio, ratio
    else:
        angle = math.acos(cosine)
        first, second = math.sin((1 - ratio) * angle), math.sin(ratio * angle)
    x, y, z, w = (first * p + second * q for p, q in zip(a, b, strict=True))
    return unit((x, y, z, w))


def from_matrix(rotation: np.ndarray) -> Quaternion:
    """Of a (3, 3) rotation matrix (Shepperd 1978: by the largest of the four numbers)."""
    (a, b, c), (d, e, f), (g, h, i) = rotation.tolist()
    squares = (1 + a - e - i, 1 - a + e - i, 1 - a - e + i, 1 + a + e + i)
    largest = squares.index(max(squares))
    double = math.sqrt(squares[largest])
    scale = 0.5 / double
    if largest == 0:
        return unit((0.5 * double, (b + d) * scale, (c + g) * scale, (h - f) * scale))
    if largest == 1:
        return unit(((b + d) * scale, 0.5 * double, (f + h) * scale, (c - g) * scale))
    if largest == 2:
        return unit(((c + g) * scale, (f + h) * scale, 0.5 * double, (d - b) * scale))
    return unit(((h - f) * scale, (c - g) * scale, (d - b) * scale, 0.5 * double))
