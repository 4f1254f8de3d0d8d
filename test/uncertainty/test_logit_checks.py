"""What is refused, and how."""

import pytest
import torch

from trust_seg_ros.errors import TrustSegError
from trust_seg_ros.types import LogitMaps
from trust_seg_ros.uncertainty import LogitsError, max_logit, reference_maps, uncertainty_maps
from trust_seg_ros.uncertainty.banded import banded_maps


@pytest.mark.parametrize("function", [uncertainty_maps, reference_maps, banded_maps, max_logit])
@pytest.mark.parametrize(
    ("logits", "size", "says"),
    [
        (torch.zeros(1, 4, 4), (8, 8), "1 classes; expected 2 to 254"),
        (torch.zeros(255, 2, 2), (8, 8), "255 classes"),
        (torch.zeros(1, 3, 4, 4), (8, 8), r"shape \(1, 3, 4, 4\)"),
        (torch.zeros(3, 0, 4), (8, 8), r"shape \(3, 0, 4\)"),
        (torch.zeros(3, 4, 4, dtype=torch.int64), (8, 8), "torch.int64"),
        (torch.zeros(3, 4, 4), (0, 8), r"size is \(0, 8\)"),
        (torch.zeros(3, 4, 4), (8, -1), r"size is \(8, -1\)"),
    ],
)
def test_unusable_logits_are_refused_with_their_value(function, logits, size, says):
    with pytest.raises(LogitsError, match=says) as caught:
        function(LogitMaps(logits, size))
    assert isinstance(caught.value, TrustSegError)
