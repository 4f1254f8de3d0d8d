"""Recordings in and out: the synthetic drive, folders, videos, bags and cameras as streams of frames."""
