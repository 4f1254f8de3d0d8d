"""A network that answers every image once, and the shipped networks loaded once."""

import itertools
from dataclasses import fields

import pytest

from trust_seg_ros.segmentation.settings import NetworkSettings

MOST = 256
"""Answers kept of a shipped network; the oldest go first."""


class Remembering:
    """The answers of a network, which is asked again only for images that it has not seen; they are never changed."""

    def __init__(self, network):
        self.network, self.answers = network, {}

    def __getattr__(self, name):
        return getattr(self.network, name)

    def infer(self, image):
        key = image.shape, image.tobytes()
        if key not in self.answers:
            self.answers[key] = self.network.infer(image)
        return self.answers[key]


@pytest.fixture(scope="package", autouse=True)
def shipped_networks_once():
    """Shipped networks are loaded once for all tests of a folder, and look at every image once.

    Commands load their network anew each time, and the tests give the same few images to many of them. Loading itself,
    and answers from one run to the next, are tested in test/segmentation.
    """
    load, networks = NetworkSettings.load, {}

    def loaded(settings):
        if settings.model.split(":")[0] != "embedded":
            return load(settings)
        chosen = tuple(getattr(settings, field.name) for field in fields(NetworkSettings))
        if chosen not in networks:
            networks[chosen] = _with_memory(load(settings))
        return networks[chosen]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(NetworkSettings, "load", loaded)
        yield


def _with_memory(network):
    """The network itself, whose method ``infer`` remembers."""
    ask, answers = network.infer, {}

    def infer(image):
        key = image.shape, image.tobytes()
        if key not in answers:
            for oldest in list(itertools.islice(answers, max(0, len(answers) + 1 - MOST))):
                del answers[oldest]
            answers[key] = ask(image)
        return answers[key]

    network.infer = infer
    return network
