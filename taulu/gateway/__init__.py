"""From tables and storage targets to running pipelines."""

from taulu.gateway.gateway import Binding, Gateway
from taulu.gateway.lifecycle import GatewayOptions, StorageTarget, open_gateway

__all__ = ["Binding", "Gateway", "GatewayOptions", "StorageTarget", "open_gateway"]
