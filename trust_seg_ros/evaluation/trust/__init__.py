"""How well scores and threshold policies find misclassified pixels, on clean and on shifted data."""
