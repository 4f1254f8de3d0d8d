"""The demo: camera, node and recorder as processes, a live panel, a film and a picture."""
