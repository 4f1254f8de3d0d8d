"""Tables, curves and pictures that judge the pipeline's results."""
