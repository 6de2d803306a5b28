"""What the gateway tells its operators, and the names it uses."""

from taulu.telemetry.endpoint import EndpointOptions, open_endpoint
from taulu.telemetry.logs import configure_logs
from taulu.telemetry.requests import Requests

__all__ = ["EndpointOptions", "Requests", "configure_logs", "open_endpoint"]
