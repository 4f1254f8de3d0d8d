"""Exports for viewers of other programs."""
