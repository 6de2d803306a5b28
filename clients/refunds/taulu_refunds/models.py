"""`refunds.models`: fitted models, each under a name of its own."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

from taulu_client import Table, errors
from taulu_refunds.bgnbd import Model

TABLE = "refunds.models"


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One fitted BG/NBD model."""

    name: str
    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float
    as_of: datetime


async def keep_model(table: Table[ModelRow], name: str, model: Model, as_of: datetime) -> None:
    """Keep a model under its name, unless one is there: a name is never given twice."""
    try:
        await table.insert(ModelRow(name=name, as_of=as_of, **asdict(model)))
    except errors.ConditionFailed:
        return
