"""Which columns of a file hold what, for each form of labels; what names mean stands in ``data/names.py``."""
