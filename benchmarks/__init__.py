"""Published tables, one command each. They need data from outside the repository: ``--data DIR``."""
