"""Labels that are probably wrong: segments that the network is sure of and the labels deny, and the other way round."""
