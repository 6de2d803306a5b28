"""From tables and storage targets to running pipelines."""

from taulu.gateway.gateway import Binding, Gateway
from taulu.gateway.lifecycle import open_gateway
from taulu.gateway.options import GatewayOptions, StorageTarget
from taulu.gateway.refusals import Refusal, load_refusals

__all__ = [
    "Binding",
    "Gateway",
    "GatewayOptions",
    "Refusal",
    "StorageTarget",
    "load_refusals",
    "open_gateway",
]
