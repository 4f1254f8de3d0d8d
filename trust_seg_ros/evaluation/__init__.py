"""Tables, curves and pictures of what the pipeline says."""
