"""Training of the embedded network."""
