"""Labelled images: folders on disk and the synthetic drive."""
