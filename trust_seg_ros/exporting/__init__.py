"""Networks as files for other programs: raw logits, or finished maps of class and uncertainty."""
