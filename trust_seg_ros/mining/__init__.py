"""Finding in recordings what is worth labelling, and writing it for labelling tools."""
