"""From pydantic's findings to problems at their place, with the nearest valid word."""

from __future__ import annotations

import re
from typing import Any, TypeVar, cast, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from taulu.schema.problems import Problem, nearest
from taulu.schema.source import Document, Where

ModelT = TypeVar("ModelT", bound=BaseModel)

_NAME_RULE = (
    "a name has small letters, digits and _, begins with a letter, and has at most 48 characters"
)
_QUOTED = re.compile(r"'([^']*)'")


def validate(document: Document, model: type[ModelT]) -> ModelT | list[Problem]:
    """Return a document as a model, or every problem that it has."""
    try:
        return model.model_validate(document.value)
    except ValidationError as error:
        return problems_of(document, model, error)


def problems_of(
    document: Document, model: type[BaseModel], error: ValidationError
) -> list[Problem]:
    """Return pydantic's findings as problems of a document."""
    return [_problem(document, model, details) for details in error.errors()]


def _problem(document: Document, model: type[BaseModel], details: ErrorDetails) -> Problem:
    where: Where = details["loc"]
    match details["type"]:
        case "extra_forbidden":
            hint = nearest(str(where[-1]), _fields_at(model, where[:-1]))
            return document.problem(where, f"unknown key {where[-1]!r}; {hint}", at_key=True)
        case "missing":
            return document.problem(where[:-1], f"key {where[-1]!r} is missing")
        case "literal_error":
            known = _QUOTED.findall(str(details.get("ctx", {}).get("expected", "")))
            given = details["input"]
            hint = nearest(str(given), known)
            return document.problem(where, f"{given!r} is not known here; {hint}")
        case "value_error":
            return document.problem(where, str(details.get("ctx", {}).get("error", "")))
        case "model_type" | "dict_type" | "model_attributes_type":
            return document.problem(where, "a mapping of keys to values is needed here")
        case "string_pattern_mismatch":
            message = f"{details['input']!r} is no name; {_NAME_RULE}"
            return document.problem(where, message, at_key=where[-1] == "[key]")
        case "too_short":
            least = details.get("ctx", {}).get("min_length")
            return document.problem(where, f"{_last_word(where)}name at least {least}")
        case "too_long":
            most = details.get("ctx", {}).get("max_length")
            return document.problem(where, f"{_last_word(where)}name at most {most}")
        case _:
            given = details["input"]
            shown = f", not {given!r}" if isinstance(given, str | int | float | bool) else ""
            message = details["msg"].replace("Input should be", "should be")
            return document.problem(where, f"{_last_word(where)}{message}{shown}")


def _last_word(where: Where) -> str:
    words = [part for part in where if isinstance(part, str)]
    return f"{words[-1]}: " if words else ""


def _fields_at(model: type[BaseModel], where: Where) -> list[str]:
    """Return the keys that a mapping at a path may have."""
    kind: object = model
    for part in where:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            field = kind.model_fields.get(str(part))
            kind = None if field is None else field.annotation
        else:
            kind = _element(cast(object, kind))
        kind = _unwrapped(kind)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return list(kind.model_fields)
    return []


def _element(kind: object) -> object:
    """Return what a dict or a list holds."""
    arguments = get_args(kind)
    return cast(object, arguments[-1]) if arguments else None


def _unwrapped(kind: Any) -> object:  # noqa: ANN401 - any annotation
    """Return a type without `| None` and without its annotations."""
    arguments = [argument for argument in get_args(kind) if argument is not type(None)]
    if get_origin(kind) in (dict, list, tuple) or not arguments:
        return kind
    return _unwrapped(arguments[0])
