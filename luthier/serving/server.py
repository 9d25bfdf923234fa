"""Open a bundle and answer over HTTP until told to stop."""

from __future__ import annotations

import errno
import logging
import math
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
    """Serve a bundle until SIGTERM or Ctrl-C; requests in flight are answered first.

    The port is taken before the model is loaded: a server that cannot listen says so at once, and clients that come
    while the model loads are answered as soon as it has.

    Args:
        bundle: directory of a bundle; its files are checked and its probes replayed.
        host: address to listen on.
        port: port to listen on; 0 takes a free one.
        limits: what a request may ask for; the defaults when left out.
        opening: backend, device and threads; chosen when left out, all backends being tried for a few seconds when that
            was not done on this machine before.
        on_ready: called once with the server's URL and with which backend was taken and why; on the event loop, so it
            must return at once.

    Raises:
        ServingError: the port cannot be taken.
        BundleError: the bundle is missing, incomplete or does not answer its probes.
        KeyboardInterrupt: after a graceful stop by Ctrl-C. SIGTERM just returns.
    """
    plugins.require("fastapi", "uvicorn", "prometheus_client", "swagger_ui_bundle")
    with listen(host, port) as listener:
        from luthier.inference import open_fastest

        predictor, chosen = open_fastest(bundle, opening, measuring=True)
        logger.info("%s", chosen)
        tell = None if on_ready is None else lambda url: on_ready(url, chosen)
        server = make_server(predictor, limits or Limits(), url_of(host, listener), tell)
        with _stop_on_sigterm(server):
            _run(server, listener)


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
    ready = threading.Event()
    failed: list[ServingError] = []
    with listen(host, port) as listener:
        url = url_of(host, listener)
        server = make_server(predictor, limits or Limits(), url, lambda _: ready.set())

        def run() -> None:
            try:
                _run(server, listener)
            except ServingError as error:
                failed.append(error)
            finally:
                ready.set()

        thread = threading.Thread(target=run, name="luthier-server")
        thread.start()
        ready.wait()
        if failed:
            raise failed[0]
        try:
            yield url
        finally:
            server.should_exit = True
            thread.join()


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


def make_server(
    predictor: Servable, limits: Limits, url: str, on_ready: Callable[[str], None] | None = None
) -> uvicorn.Server:
    """Return a uvicorn server over the predictor, not yet running."""
    import uvicorn


    class Server(uvicorn.Server):
        """Says when it answers."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if on_ready is not None:
                on_ready(url)

    config = uvicorn.Config(
        create_app(Repository([predictor]), limits),
        log_config=None,
        access_log=False,
        lifespan="on",
        ws="none",
        server_header=False,
        timeout_graceful_shutdown=math.ceil(limits.timeout_seconds) + _GRACE_SECONDS,
    )
    return Server(config)


def _run(server: uvicorn.Server, listener: socket.socket) -> None:
    try:
        server.run(sockets=[listener])
    except SystemExit:
        # uvicorn's way to say that the app's start-up failed.
        raise ServingError("the server did not start", "its log has the reason") from None


@contextmanager
def _stop_on_sigterm(server: uvicorn.Server) -> Iterator[None]:
    """Make SIGTERM end the server and not the process.

    uvicorn stops gracefully and then raises the signal again for the handler that was there before it. Python's own
    would kill the process, and whoever sent the signal would read a failure from the exit status.
    """

    def stop(*_: object) -> None:
        server.should_exit = True

    previous = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _cannot_listen(host: str, port: int, error: OSError) -> ServingError:
    other = "choose another with --port (0 takes a free one)"
    if error.errno == errno.EADDRINUSE:
        return ServingError(f"port {port} on {host} is taken by another program", other)
    if error.errno == errno.EACCES:
        return ServingError(f"port {port} needs rights that this user lacks", f"{other}; 1024 and up need none")
    if error.errno == errno.EADDRNOTAVAIL:
        return ServingError(f"{host} is not an address of this machine", _HOSTS)
    return ServingError(f"cannot listen on {host} port {port}: {error.strerror or error}", other)
