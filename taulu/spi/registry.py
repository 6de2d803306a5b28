"""Finding adapters by name through the entry-point group `taulu.adapters`."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points

from taulu.model.errors import ConfigError
from taulu.spi.adapter import Adapter

GROUP = "taulu.adapters"


def adapter_names() -> list[str]:
    """Return the names of all installed adapters, sorted; none is imported."""
    return sorted(point.name for point in entry_points(group=GROUP))


def load_adapter(name: str) -> type[Adapter]:
    """Import the adapter that is registered under a name.

    Raises:
        ConfigError: No such adapter is installed, or its driver is missing; the message
            names the nearest adapter, or the extra to install.
    """
    found = {point.name: point for point in entry_points(group=GROUP)}
    point = found.get(name)
    if point is None:
        near = difflib.get_close_matches(name, found, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"installed: {', '.join(sorted(found))}"
        raise ConfigError(f"no adapter is called {name!r}; {hint}", details={"adapter": name})
    try:
        loaded: object = point.load()
    except ImportError as error:
        raise ConfigError(
            f"adapter {name!r} cannot be imported ({error}); "
            f"install its driver with: pip install 'taulu-gateway[{name}]'",
            details={"adapter": name},
        ) from error
    if not (isinstance(loaded, type) and issubclass(loaded, Adapter)):
        raise ConfigError(
            f"entry point {name!r} of group {GROUP} is {loaded!r}, not a subclass of "
            "taulu.spi.Adapter; mend the package that registers it",
            details={"adapter": name},
        )
    return loaded


def check_options(adapter: str, options: Mapping[str, object], known: frozenset[str]) -> None:
    """Refuse options that an adapter does not know, naming the nearest one that it does."""
    for option in options:
        if option not in known:
            near = difflib.get_close_matches(option, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(known))}"
            raise ConfigError(
                f"adapter {adapter!r} has no option {option!r}; {hint}",
                details={"adapter": adapter, "option": option},
            )


def wrong_option(
    adapter: str, where: Sequence[object], problem: str, *, unnamed: str = ""
) -> ConfigError:
    """Return the refusal of an option whose value is wrong.

    The value itself is left out, for it may be a secret; so is the error that found it wrong,
    unless the caller raises `from` it.

    Args:
        adapter: The adapter whose option it is.
        where: The option's name, and the way to what is wrong inside it.
        problem: What is wrong.
        unnamed: The option to name when what is wrong is no single one.
    """
    option = ".".join(str(part) for part in where) or unnamed
    about = f"option {option!r}" if option else "what is set"
    return ConfigError(
        f"{about} of adapter {adapter!r} is wrong: {problem}; mend it in the settings",
        details={"adapter": adapter, "option": option},
    )
