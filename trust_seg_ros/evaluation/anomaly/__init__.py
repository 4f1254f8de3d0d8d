"""Measures of anomaly segmentation: how well a score map finds what the network never learned."""
