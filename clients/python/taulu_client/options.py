"""What a client may be told besides the address."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RetryOptions:
    """When and how often a call is sent again. Delays are in seconds."""

    attempts_max: int = 5
    """How often one call is sent at most, the first time included."""
    delay_s: float = 0.05
    """The first delay; it doubles with every attempt, and half of it is random."""
    delay_s_max: float = 2.0
    budget: float = 20.0
    """How many retries may be spent at once, over all calls of the client."""
    budget_per_success: float = 0.1
    """How much of a retry each successful call earns, so that retries stay a tenth of calls
    when much fails for long."""


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """Limits of one client."""

    retry: RetryOptions = field(default_factory=RetryOptions)
    attempt_timeout_s: float | None = None
    """How long one attempt may take before it is sent again; None gives it all that is left."""
    chunks_at_once: int = 4
    """How many pieces of one large batch are under way at the same time."""
    catalog_s: float = 60.0
    """How long a table's description is used before it is fetched again, in seconds."""
    response_bytes_max: int = 64 * 1024 * 1024
