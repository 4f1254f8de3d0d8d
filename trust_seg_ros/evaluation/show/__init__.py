"""One image drawn: prediction, uncertainty, segments and how far to trust them."""
