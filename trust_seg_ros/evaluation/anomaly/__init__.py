"""Measures of anomaly segmentation: how well a score map finds objects the network never learned."""
