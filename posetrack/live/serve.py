"""Serving the page: a bound socket, a token where others can come, and an end that closes every file."""

from __future__ import annotations

import socket
import ssl
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import uvicorn

from posetrack.errors import PoseTrackError
from posetrack.live import protocol
from posetrack.live.guard import LEAST_TOKEN, new_token
from posetrack.live.hub import Hub
from posetrack.live.room import Room
from posetrack.live.server import create_app

_LOCAL = ("127.0.0.1", "::1", "localhost")
_PATIENCE = 3  # seconds that open connections get when the server ends


@dataclass(frozen=True)
class Address:
    """Where the page is, and who may see it."""

    host: str = "127.0.0.1"
    port: int = 8000  # 0: any free one
    token: str | None = None  # None: none on this machine alone, else a new one
    tls_cert: Path | None = None
    tls_key: Path | None = None

    def __post_init__(self) -> None:
        if self.token is not None and len(self.token) < LEAST_TOKEN:
            raise PoseTrackError(
                f"--token has {len(self.token)} characters: give {LEAST_TOKEN} or more, or leave it out"
            )
        if (self.tls_cert is None) != (self.tls_key is None):
            raise PoseTrackError("--tls-cert and --tls-key belong together: give both")
        if not 0 <= self.port < 2**16:
            raise PoseTrackError(f"--port {self.port}: choose one from 0 to 65535")

    @property
    def local(self) -> bool:
        """Only this machine can come."""
        return self.host in _LOCAL


def serve(hub: Hub, address: Address, room: Room | None = None) -> None:
    """Answer until Ctrl-C or SIGTERM.

    Raises:
        PoseTrackError: the port is taken, or the certificate cannot be used.
    """
    with PageServer(hub, address, room) as server:
        for line in server.greeting:
            print(line, file=sys.stderr, flush=True)
        server.run()


class PageServer:
    """A server whose port is open already; `run` answers until `stop`."""

    def __init__(self, hub: Hub, address: Address, room: Room | None = None) -> None:
        token = address.token or (None if address.local else new_token())
        if address.tls_cert and address.tls_key:
            _check_certificate(address.tls_cert, address.tls_key)
        self._bound = _bind(address)
        self.port: int = self._bound.getsockname()[1]
        self.greeting = _greeting(address, self.port, token)
        config = uvicorn.Config(
            create_app(hub, room, token=token, secure=address.tls_cert is not None),
            ws="websockets-sansio",
            ws_max_size=protocol.MAX_BYTES,
            ws_per_message_deflate=False,
            log_config=None,
            access_log=False,  # addresses hold the token
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_PATIENCE,
            ssl_certfile=address.tls_cert,
            ssl_keyfile=address.tls_key,
        )
        self._server = uvicorn.Server(config)

    def run(self) -> None:
        self._server.run(sockets=[self._bound])

    def stop(self) -> None:
        """From any thread: let go of everybody, and return from `run`."""
        self._server.should_exit = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bound.close()


def _bind(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    bound = socket.socket(family)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((address.host, address.port))
        bound.listen()  # so that whoever reads the address may come at once
    except OSError as error:
        bound.close()
        raise PoseTrackError(
            f"cannot listen on {address.host}:{address.port} ({error.strerror or error}): "
            "choose another --port or --host"
        ) from error
    return bound


def _check_certificate(cert: Path, key: Path) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key)
    except (OSError, ssl.SSLError) as error:
        reason = getattr(error, "strerror", None) or getattr(error, "reason", None) or error
        raise PoseTrackError(
            f"cannot use the certificate {cert} with the key {key} ({reason}): "
            "give PEM files that belong together"
        ) from error


def _greeting(address: Address, port: int, token: str | None) -> list[str]:
    scheme = "https" if address.tls_cert else "http"
    anywhere = address.host in ("0.0.0.0", "::")
    host = socket.gethostname() if anywhere else address.host
    host = f"[{host}]" if ":" in host else host
    lines = [f"posetrack live: open {scheme}://{host}:{port}/{f'?token={token}' if token else ''}"]
    if not address.local and not address.tls_cert:
        lines.append(
            "posetrack live: browsers give cameras only to https and localhost: use --tls-cert and "
            f"--tls-key, or ssh -L {port}:localhost:{port} {host} and open http://localhost:{port}/"
        )
    return lines
