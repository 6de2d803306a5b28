"""Which of Taulu's errors each refusal of Redis is, in one table."""

from __future__ import annotations

from taulu.model import (
    ConfigError,
    Contention,
    Corrupt,
    Internal,
    StorageFull,
    TauluError,
    Unavailable,
    WriteOutcomeUnknown,
)
from taulu_redis._driver import ReplyError

_RETRY_S = 0.1
_FAILOVER_RETRY_S = 0.5

_TABLE: dict[str, tuple[type[TauluError], str, float | None]] = {
    "OOM": (StorageFull, "has no memory left: raise maxmemory, or delete rows", None),
    "MISCONF": (StorageFull, "cannot write to its disk: free space, see its log", None),
    "READONLY": (Unavailable, "is a replica now, and no other primary is known", _FAILOVER_RETRY_S),
    "LOADING": (Unavailable, "is reading its data from disk", _FAILOVER_RETRY_S),
    "MASTERDOWN": (Unavailable, "is a replica without a primary", _FAILOVER_RETRY_S),
    "CLUSTERDOWN": (Unavailable, "says that its cluster is down", _FAILOVER_RETRY_S),
    "NOREPLICAS": (Unavailable, "has fewer replicas than min-replicas-to-write", _FAILOVER_RETRY_S),
    "MOVED": (Unavailable, "is not where these keys are, and their place is moving", _RETRY_S),
    "ASK": (Unavailable, "is not where these keys are, and their place is moving", _RETRY_S),
    "TRYAGAIN": (Contention, "is moving these keys to another node", _RETRY_S),
    "BUSY": (Unavailable, "is busy with a long script", _RETRY_S),
    "NORUN": (ConfigError, "does not say which run of it this is: allow +info", None),
    "NOAUTH": (ConfigError, "wants a password: set `password`", None),
    "WRONGPASS": (ConfigError, "refuses the username or password", None),
    "NOPERM": (ConfigError, "does not let this user do so: see the README for the rights", None),
    "WRONGTYPE": (Corrupt, "holds something else under a key of a table", None),
}

SEND_AGAIN = frozenset(
    {
        *("MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "READONLY"),
        *("NOSCRIPT", "BUSY"),
    }
)
"""Refusals that may be over soon, or elsewhere; the command was not carried out."""


def to_taulu(refusal: ReplyError, where: str) -> TauluError:
    """Return the error that callers see for a refusal; nothing of the command was carried out."""
    kind, meaning, retry_after_s = _TABLE.get(
        refusal.code, (Internal, "refused a command; this is a defect", None)
    )
    error = kind(
        f"Redis at {where} {meaning} (Redis: {refusal.text})",
        details={"server": where},
        retry_after_s=retry_after_s,
    )
    error.__cause__ = refusal.cause
    return error


REPEAT = "send the request again"
"""What to do when no server is reached, where a request was sent."""
START_IT = "start it, or mend `nodes` and the log-in"
"""What to do about it where a gateway starts."""


def unreachable(trouble: str, advice: str = REPEAT) -> Unavailable:
    """Return the error of a call that reached no server, and so changed nothing."""
    return Unavailable(
        f"Redis cannot be reached ({trouble}); {advice}",
        retry_after_s=_FAILOVER_RETRY_S,
    )


def unknown(trouble: str) -> WriteOutcomeUnknown:
    """Return the error of a write that may have been carried out, or may be undone."""
    return WriteOutcomeUnknown(
        f"whether the write was kept is not known ({trouble}); send it again with its token",
        retry_after_s=_FAILOVER_RETRY_S,
    )


def unconfirmed() -> Unavailable:
    """Return the error of a reply that a deposed primary may have given."""
    return Unavailable(
        "the replicas did not confirm in time that the server which answered is still primary; "
        "send the request again",
        retry_after_s=_FAILOVER_RETRY_S,
    )


def uncached(trouble: TauluError) -> Unavailable:
    """Return the error of a shared cache that cannot serve, for whatever reason."""
    error = Unavailable(
        f"the shared cache cannot serve: {trouble.message}",
        details=trouble.details,
        retry_after_s=trouble.retry_after_s,
    )
    error.__cause__ = trouble
    return error


def lost(trouble: str) -> Unavailable:
    """Return the error of a listener that may have missed something."""
    return Unavailable(
        f"the way of news between gateways over Redis is lost ({trouble}); listen again, and "
        "trust nothing that was heard before",
        retry_after_s=_RETRY_S,
    )
