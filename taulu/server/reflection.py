"""Server reflection that also finds methods by name, as gRPC's own servers do.

Python's descriptor pool knows messages, enums and services by name, but not methods, and some
clients (ghz) ask for `package.Service.Method`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from google.protobuf import descriptor_pool
from google.protobuf.descriptor import FileDescriptor
from grpc import aio
from grpc_reflection.v1alpha import reflection

SERVICE_NAME: str = reflection.SERVICE_NAME


class SymbolPool:
    """The default pool, with methods."""

    def __init__(self) -> None:
        self._pool: Any = descriptor_pool.Default()

    def __getattr__(self, name: str) -> object:
        """Leave all else to the pool itself."""
        return getattr(self._pool, name)

    def FindFileContainingSymbol(self, symbol: str) -> FileDescriptor:  # noqa: N802 - the pool's name
        """Return the file that declares a message, enum, service or method.

        Raises:
            KeyError: None does.
        """
        try:
            return cast(FileDescriptor, self._pool.FindFileContainingSymbol(symbol))
        except KeyError:
            service_name, _, method = symbol.rpartition(".")
            service = self._pool.FindServiceByName(service_name)
            if method not in service.methods_by_name:
                raise
            return cast(FileDescriptor, service.file)


def enable_reflection(services: Iterable[str], server: aio.Server) -> None:
    """Let clients ask a server for its services, methods and messages."""
    reflection.enable_server_reflection(tuple(services), server, pool=cast(Any, SymbolPool()))
