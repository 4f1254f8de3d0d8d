"""Helpers that every part may use: compiled kernels, threads, paths, JSON files, progress bars."""
