"""Arrays as JSON: small dictionaries of type, shape and bytes, exact and compact."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np

KINDS = ("bool", "uint8", "int32", "int64", "float32", "float64")


def packed(array: np.ndarray) -> dict[str, Any]:
    """An array of one of ``KINDS`` as plain data, bit for bit; see :func:`unpacked`.

    Raises:
        ValueError: another type of numbers.
    """
    if str(array.dtype) not in KINDS:
        raise ValueError(f"an array of {array.dtype}: expected one of {', '.join(KINDS)}")
    data = zlib.compress(np.ascontiguousarray(array).tobytes(), 1)
    return {"dtype": str(array.dtype), "shape": list(array.shape), "data": base64.b64encode(data).decode("ascii")}


def unpacked(data: dict[str, Any]) -> np.ndarray:
    """The array that :func:`packed` was given.

    Raises:
        KeyError, TypeError, ValueError: it is not what :func:`packed` gives.
    """
    if data["dtype"] not in KINDS:
        raise ValueError(f"an array of {data['dtype']}: expected one of {', '.join(KINDS)}")
    try:
        values: np.ndarray = np.frombuffer(
            zlib.decompress(base64.b64decode(data["data"], validate=True)), data["dtype"]
        )
    except zlib.error as error:
        raise ValueError(f"damaged bytes of an array: {error}") from error
    array: np.ndarray = values.reshape(data["shape"]).copy()
    return array
