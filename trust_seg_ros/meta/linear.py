"""The linear part of a meta model, and the logistic that makes a probability of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class LinearPart:
    """coefficients . standardised metrics + intercept.

    Attributes:
        coefficients: (m,) float64.
        intercept: scalar.
    """

    coefficients: np.ndarray
    intercept: float

    def __call__(self, standardised: np.ndarray) -> np.ndarray:
        """(n, m) -> (n,) float64."""
        predicted: np.ndarray = standardised @ self.coefficients + self.intercept
        return predicted


def logistic(logit: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-logit)), computed with tanh so that it neither overflows nor warns."""
    return 0.5 * (1.0 + np.tanh(0.5 * logit))
