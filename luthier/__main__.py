"""``python -m luthier`` is the ``luthier`` command."""

import sys


def main() -> None:
    """Run the command line; Ctrl-C is heeded from the first import on."""
    try:
        from luthier.cli import main as run
    except KeyboardInterrupt:
        sys.stderr.write("luthier: stopped\n")
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
