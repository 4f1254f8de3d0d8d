"""The root of every error this package raises on purpose."""


class TrustSegError(Exception):
    """Base of all errors raised on purpose; its text names the value, what was expected and the way out."""
