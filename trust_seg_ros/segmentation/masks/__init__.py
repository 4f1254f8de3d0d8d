"""Mask networks: masks and the classes of each as class sums, the models of transformers, images cut into squares."""
