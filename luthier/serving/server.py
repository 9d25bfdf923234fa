"""Open a bundle and answer over HTTP until told to stop."""

from __future__ import annotations

import errno
import logging
import math
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from luthier import plugins
from luthier.errors import ServingError
from luthier.serving.app import create_app
from luthier.serving.limits import Limits
from luthier.serving.repository import Repository, Servable

if TYPE_CHECKING:
    import uvicorn

    from luthier.inference import Opening

logger = logging.getLogger("luthier.serving")

_GRACE_SECONDS = 2
"""Given on top of the time limit of a request before a stop gives up on slow readers."""

_WRITING_SECONDS = 1.0
"""Given to what a model is writing when the server stops; what is not written by then is answered 503."""

_LOOK_SECONDS = 0.005
"""Between looks at whether the server has started."""

_HOSTS = "use 127.0.0.1, or 0.0.0.0 for every interface"


def serve(
    bundle: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    limits: Limits | None = None,
    opening: Opening | None = None,
    on_ready: Callable[[str, str], None] | None = None,
) -> None:
    """Serve a bundle until SIGTERM or Ctrl-C; requests in flight are answered first. Call it in the main thread.

    The port is taken before the model is loaded: a server that cannot listen says so at once. While the model loads
    ``GET /health`` says so and everything that needs the model is answered 503.

    Args:
        bundle: directory of a bundle; its files are checked and its probes replayed.
        host: address to listen on.
        port: port to listen on; 0 takes a free one.
        limits: what a request may ask for; the defaults when left out.
        opening: backend, device and threads; chosen when left out, all backends being tried for a few seconds when that
            was not done on this machine before.
        on_ready: called once with the server's URL and with which backend was taken and why, when it takes requests.

    Raises:
        ServingError: the port cannot be taken.
        BundleError: the bundle is missing, incomplete or does not answer its probes.
        KeyboardInterrupt: after a graceful stop by Ctrl-C. SIGTERM just returns.
    """
    plugins.require("fastapi", "uvicorn", "prometheus_client", "swagger_ui_bundle")
    with listen(host, port) as listener:
        repository = Repository()
        server = make_server(repository, limits or Limits())
        signals = _Signals(server)
        with suppress(_StoppedWhileLoading), signals.taken(), _running(server, listener) as thread:
            from luthier.inference import open_fastest

            predictor, chosen = open_fastest(bundle, opening, measuring=True)
            signals.loading = False
            logger.info("%s", chosen)
            repository.add(predictor)
            if on_ready is not None and not server.should_exit:
                on_ready(url_of(host, listener), chosen)
            thread.join()
    if signals.interrupted:
        raise KeyboardInterrupt


@contextmanager
def background(
    predictor: Servable, *, host: str = "127.0.0.1", port: int = 0, limits: Limits | None = None
) -> Iterator[str]:
    """Serve a predictor from a thread of this process for the length of a ``with`` block.

    Yields:
        The server's URL.

    Raises:
        ServingError: the port cannot be taken, or the server fails to start.
    """
    plugins.require("fastapi", "uvicorn", "prometheus_client", "swagger_ui_bundle")
    with listen(host, port) as listener:
        server = make_server(Repository([predictor]), limits or Limits())
        with _running(server, listener):
            yield url_of(host, listener)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        ServingError: the address is unknown, or the port is taken or not allowed.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, UnicodeError):
        raise ServingError(f"the host {host!r} has no address", _HOSTS) from None
    listener = socket.socket(family, kind, protocol)
    try:
        # Without it a restarted server would have to wait a minute for the connections of the one before.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise _cannot_listen(host, port, error) from None
    return listener


def url_of(host: str, listener: socket.socket) -> str:
    """Return the URL under which this machine reaches a listening socket."""
    port = listener.getsockname()[1]
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104 - read, not bound
    return f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"


def make_server(repository: Repository, limits: Limits) -> uvicorn.Server:
    """Return a uvicorn server over the repository, not yet running."""
    import uvicorn

    class Server(uvicorn.Server):
        """Tells models that write when it stops."""

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            repository.hurry(_WRITING_SECONDS)
            await super().shutdown(sockets)

    config = uvicorn.Config(
        create_app(repository, limits),
        log_config=None,
        access_log=False,
        lifespan="on",
        ws="none",
        server_header=False,
        timeout_graceful_shutdown=math.ceil(limits.timeout_seconds) + _GRACE_SECONDS,
    )
    return Server(config)


@contextmanager
def _running(server: uvicorn.Server, listener: socket.socket) -> Iterator[threading.Thread]:
    """Run a server in a thread for the length of a ``with`` block, which begins when it answers.

    Raises:
        ServingError: it did not start.
    """
    def run() -> None:
        with suppress(SystemExit):  # uvicorn's way to say that the app's start-up failed; its log has said why
            server.run(sockets=[listener])

    thread = threading.Thread(target=run, name="luthier-server")
    thread.start()
    try:
        while thread.is_alive() and not server.started:
            time.sleep(_LOOK_SECONDS)
        if not server.started:
            raise ServingError("the server did not start", "its log has the reason")
        yield thread
    finally:
        server.should_exit = True
        thread.join()


class _StoppedWhileLoading(BaseException):
    """Thrown out of the loading of a model by a signal; nothing on the way may take it for a fault."""


@dataclass
class _Signals:
    """What SIGTERM and Ctrl-C do to a server: it answers those in flight, and a second Ctrl-C does not wait for that.

    The model is loaded in the main thread, and so by them thrown out of it: a thread that loads could not be stopped,
    and the interpreter must not end while one computes.
    """

    server: uvicorn.Server
    loading: bool = True
    interrupted: bool = False
    """Whether Ctrl-C came."""

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Take the two signals for the length of a ``with`` block."""
        before = {number: signal.signal(number, self._stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, number: int, _: object) -> None:
        if number == signal.SIGINT:
            self.server.force_exit, self.interrupted = self.interrupted, True
        self.server.should_exit = True
        if self.loading:
            self.loading = False
            raise _StoppedWhileLoading


def _cannot_listen(host: str, port: int, error: OSError) -> ServingError:
    other = "choose another with --port (0 takes a free one)"
    if error.errno == errno.EADDRINUSE:
        return ServingError(f"port {port} on {host} is taken by another program", other)
    if error.errno == errno.EACCES:
        return ServingError(f"port {port} needs rights that this user lacks", f"{other}; 1024 and up need none")
    if error.errno == errno.EADDRNOTAVAIL:
        return ServingError(f"{host} is not an address of this machine", _HOSTS)
    return ServingError(f"cannot listen on {host} port {port}: {error.strerror or error}", other)
