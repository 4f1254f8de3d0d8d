"""Tables, curves and pictures of what the other rooms produce."""
