"""The ``luthier`` command: one file a verb. A verb parses, calls one function and prints.

Exit codes: 0 done; 2 something the caller can mend, told in one message without a traceback; 130 stopped with Ctrl-C.
A traceback always means a fault of Luthier's own.
"""

from __future__ import annotations

import io
import sys
from contextlib import suppress

import typer

from luthier import __version__
from luthier.cli import demo, doctor, evaluate, models, predict, serve, train, verify
from luthier.errors import LuthierError

app = typer.Typer(
    name="luthier",
    help="Tune a pretrained language model to your own text, prove the result, serve it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for verb in (train, evaluate, predict, verify, serve, models, doctor, demo):
    app.command(verb.__name__.rsplit(".", 1)[-1])(verb.command)


INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 + SIGINT, as shells have it."""


def _version(show: bool) -> None:
    if show:
        typer.echo(f"luthier {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),  # noqa: ARG001 - for its callback
) -> None:
    pass


def main() -> None:
    """Run the command line and turn every mendable failure into one message and an exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a label that the terminal cannot show stops nothing
    try:
        app(standalone_mode=True)
    except LuthierError as error:
        _fail(str(error), 2)
    except SystemExit as end:
        if end.code == INTERRUPTED:
            _fail(_last_words(end), INTERRUPTED)
        raise
    except KeyboardInterrupt as error:  # before or after the time that typer watches over
        _fail(str(error) or "stopped", INTERRUPTED)
    except Exception as error:
        from luthier.bundle.write import disk_full

        if not disk_full(error):  # libraries in Rust raise kinds of their own
            raise
        _fail("the disk is full; nothing finished was touched\n  -> free some space and run the command again", 2)


def _last_words(end: BaseException) -> str:
    """Return what the interrupted work said for itself; typer keeps it in the chain of the exit it makes."""
    link: BaseException | None = end
    while link is not None and not isinstance(link, KeyboardInterrupt):
        link = link.__cause__ or link.__context__
    return str(link or "") or "stopped"


def _fail(message: str, code: int) -> None:
    if code == INTERRUPTED:
        # When Ctrl-C has come through a string of code (as dataclasses are made of), CPython ends by the signal and not
        # with the exit code, unless another string was run since.
        exec("")  # noqa: S102
    with suppress(OSError):  # nowhere left to say it; the exit code still does
        typer.secho(f"luthier: {message}", fg=typer.colors.RED if sys.stderr.isatty() else None, err=True)
    sys.exit(code)
