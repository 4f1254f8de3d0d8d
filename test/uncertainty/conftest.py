import pytest
import torch


@pytest.fixture(autouse=True)
def one_torch_thread():
    """Small tensors: on a busy machine, waiting for torch's other threads costs more than the work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
