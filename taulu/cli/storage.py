"""The storage that the settings name, as a server would have it before anything is opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from taulu.gateway import Refusal, load_refusals
from taulu.model.errors import TauluError
from taulu.model.table import Table
from taulu.schema import Settings
from taulu.server.serve import gateway_options
from taulu.spi import Adapter, Environment, load_adapter


@dataclass(frozen=True, slots=True)
class Storage:
    """An adapter for each storage target, not opened; and what is wrong with the other targets."""

    settings: Settings
    adapters: Mapping[str, Adapter]
    troubles: Mapping[str, TauluError]

    @classmethod
    def of(cls, settings: Settings) -> Storage:
        """Make the adapters, as every worker does."""
        environment = Environment(
            token_window_s=settings.token_window / 1_000_000, workers=settings.workers
        )
        adapters: dict[str, Adapter] = {}
        troubles: dict[str, TauluError] = {}
        for name, target in settings.storage.items():
            try:
                adapters[name] = load_adapter(target.adapter).create(target.options, environment)
            except TauluError as error:
                troubles[name] = error
        return cls(settings, adapters, troubles)

    def refusals(self, tables: Sequence[Table]) -> list[Refusal]:
        """Return why a server would not load these tables; see `load_refusals`."""
        return load_refusals(tables, gateway_options(self.settings), self.adapters)
