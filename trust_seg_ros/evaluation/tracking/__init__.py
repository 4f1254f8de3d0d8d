"""Measures of tracking: predicted segments with numbers of tracks against objects that keep theirs."""
