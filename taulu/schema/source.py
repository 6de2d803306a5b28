"""YAML with the place of every word, and without what makes YAML surprising.

Refused: the same key twice, anchors and aliases (a few lines of which can stand for gigabytes),
tags, and files that are too large or nest too deep.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias, cast

import yaml
from yaml.events import AliasEvent
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.reader import ReaderError

from taulu.schema.problems import Problem, SchemaInvalid

FILE_BYTES_MAX = 1024 * 1024
DEPTH_MAX = 16

Where: TypeAlias = tuple[str | int, ...]
"""Where a value stands in a document, by keys and indexes."""

_Place: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document: plain values, and where each was written."""

    file: str
    value: object
    _values: dict[Where, _Place] = field(default_factory=dict[Where, _Place])
    _keys: dict[Where, _Place] = field(default_factory=dict[Where, _Place])

    def problem(self, path: Where, message: str, *, at_key: bool = False) -> Problem:
        """Return a problem with the value at a path, or with its key.

        A path that leads to nothing stands for the nearest thing that is there.
        """
        places = self._keys if at_key else self._values
        for length in range(len(path), -1, -1):
            place = places.get(path[:length]) or self._values.get(path[:length])
            if place is not None:
                return Problem(self.file, *place, message)
        return Problem(self.file, 1, 1, message)


def read_documents(path: Path) -> list[Document]:
    """Return the documents of a file; empty ones are left out.

    Raises:
        SchemaInvalid: It cannot be read, or is not YAML of the kind taken here.
    """
    file = str(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        trouble = error.strerror or str(error)
        raise SchemaInvalid([Problem(file, 1, 1, f"cannot be read: {trouble}")]) from error
    if len(data) > FILE_BYTES_MAX:
        message = f"has {len(data)} bytes, more than {FILE_BYTES_MAX}; split it"
        raise SchemaInvalid([Problem(file, 1, 1, message)])
    return parse_documents(file, data)


def parse_documents(file: str, data: bytes) -> list[Document]:
    """Return the documents in some bytes; see `read_documents`."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        raise SchemaInvalid([Problem(file, line, column, "is not UTF-8 text")]) from error
    try:
        _refuse_aliases(file, text)
        documents: list[Document] = []
        loader = yaml.SafeLoader(text)
        try:
            while loader.check_node():
                node = loader.get_node()
                if node is not None:
                    documents.append(_Reader(file, loader).document(node))
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        raise SchemaInvalid([_syntax_problem(file, error)]) from error
    except ReaderError as error:
        line, column = _line_and_column(text, error.position)
        message = f"is not YAML: the character {error.character:#06x} is not taken; remove it"
        raise SchemaInvalid([Problem(file, line, column, message)]) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SchemaInvalid([Problem(file, 1, 1, f"is not YAML: {error}")]) from error
    return [document for document in documents if document.value is not None]


def _line_and_column(text: str, at: int) -> _Place:
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


def _syntax_problem(file: str, error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    parts = [part for part in (error.context, error.problem) if part]
    return Problem(file, line, column, f"is not YAML: {', '.join(parts)}")


def _refuse_aliases(file: str, text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        is_alias = isinstance(event, AliasEvent) or getattr(event, "anchor", None)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if is_alias or depth > DEPTH_MAX:
            mark = event.start_mark
            line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            message = (
                "anchors and aliases are not taken; write the value out"
                if is_alias
                else f"nests deeper than {DEPTH_MAX} levels"
            )
            raise SchemaInvalid([Problem(file, line, column, message)])


class _Reader:
    """Turns the nodes of one document into plain values."""

    def __init__(self, file: str, loader: yaml.SafeLoader) -> None:
        self._file = file
        self._loader = loader
        self._values: dict[Where, _Place] = {}
        self._keys: dict[Where, _Place] = {}

    def document(self, node: Node) -> Document:
        value = self._value(node, ())
        return Document(self._file, value, self._values, self._keys)

    def _value(self, node: Node, path: Where) -> object:
        self._values[path] = _place(node)
        if not isinstance(node, ScalarNode) and node.tag not in _COLLECTION_TAGS:
            raise self._refusal(node, f"the tag {node.tag} is not taken; write a plain value")
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            children = cast("list[Node]", node.value)
            return [self._value(child, (*path, at)) for at, child in enumerate(children)]
        return self._scalar(node)

    def _mapping(self, node: MappingNode, path: Where) -> dict[str, object]:
        values: dict[str, object] = {}
        for key_node, value_node in cast("list[tuple[Node, Node]]", node.value):
            key = cast("str", key_node.value) if isinstance(key_node, ScalarNode) else None
            if key is None:
                raise self._refusal(key_node, "a key must be a plain word")
            if key in values:
                raise self._refusal(key_node, f"key {key!r} stands twice in one mapping")
            self._keys[*path, key] = _place(key_node)
            values[key] = self._value(value_node, (*path, key))
        return values

    def _scalar(self, node: Node) -> object:
        if node.tag in _PLAIN_TAGS:
            construct = cast("Callable[[Node], object]", self._loader.construct_object)  # pyright: ignore[reportUnknownMemberType]
            try:
                value = construct(node)
                str(value).encode()
            except UnicodeEncodeError:
                raise self._refusal(node, "half a surrogate pair is no text; remove it") from None
            except ValueError as error:
                raise self._refusal(node, f"this is no value of YAML: {error}") from error
            return value
        if node.tag in _TEXT_TAGS:
            # YAML reads 2020-01-01 as a date; here it is text like any other.
            return cast(object, node.value)
        raise self._refusal(node, f"the tag {node.tag} is not taken; write a plain value")

    def _refusal(self, node: Node, message: str) -> SchemaInvalid:
        return SchemaInvalid([Problem(self._file, *_place(node), message)])


_TAG = "tag:yaml.org,2002:"
_PLAIN_TAGS = frozenset(f"{_TAG}{name}" for name in ("str", "int", "float", "bool", "null"))
_COLLECTION_TAGS = frozenset({f"{_TAG}map", f"{_TAG}seq"})
_TEXT_TAGS = frozenset(f"{_TAG}{name}" for name in ("timestamp", "merge", "value"))


def _place(node: Node) -> _Place:
    return node.start_mark.line + 1, node.start_mark.column + 1
