"""What the gateway tells its operators, and the names it uses."""

from taulu.telemetry.logs import configure_logs

__all__ = ["configure_logs"]
