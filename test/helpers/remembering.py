"""A network that answers every image once."""


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
