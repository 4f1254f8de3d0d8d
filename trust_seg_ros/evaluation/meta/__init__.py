"""Judges meta classification and meta regression: the tables and figures of MetaSeg for any data set."""
