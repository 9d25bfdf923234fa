"""``python -m luthier`` is the ``luthier`` command."""

from luthier.cli import main

if __name__ == "__main__":
    main()
