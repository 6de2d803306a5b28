"""`taulu health`: what a container's health check, a load balancer or a person asks."""

from __future__ import annotations

from typing import Annotated

import grpc
import typer
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from taulu.cli.options import ADDRESS, TIMEOUT_S, Address, Timeout
from taulu.model.errors import Unavailable


def health(
    service: Annotated[str, typer.Argument(help="One gRPC service; the whole by default.")] = "",
    address: Address = ADDRESS,
    timeout: Timeout = TIMEOUT_S,
) -> None:
    """Ask a gateway's gRPC health service; exit code 0 says that it serves, 4 that it does not."""
    options = [("grpc.enable_http_proxy", 0)]
    with grpc.insecure_channel(address, options=options) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=HealthCheckRequest.SerializeToString,
            response_deserializer=HealthCheckResponse.FromString,
        )
        try:
            reply = check(HealthCheckRequest(service=service), timeout=timeout)
        except grpc.RpcError as failure:
            what = f"{failure.code().name}, {failure.details()}"
            raise Unavailable(
                f"{address} does not say that it is healthy ({what}); "
                "see whether a gateway serves there"
            ) from failure
    status = HealthCheckResponse.ServingStatus.Name(reply.status)
    if reply.status != HealthCheckResponse.SERVING:
        raise Unavailable(f"{address} is {status}; it is starting or draining, ask again later")
    typer.echo(status)
