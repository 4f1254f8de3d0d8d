"""Whether a frame, and the node as a whole, can be trusted: checks of images, and a state with reasons."""
