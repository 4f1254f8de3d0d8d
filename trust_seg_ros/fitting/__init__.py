"""Labelled images → segment tables → meta models; labelled images → calibration."""
