"""Recordings for other programs' viewers."""
