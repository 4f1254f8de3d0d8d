"""Offline replay: a recording through the pipeline, frame by frame, into a bag, tables and a report."""
