"""Logits to per-pixel maps: how sure the network's own softmax is, pixel by pixel."""
