"""Recordings: the synthetic drive, folders, videos, bags and cameras as frames; replay, reports and exports."""
