"""Tables from their files: every problem of every file at once, or frozen tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from taulu.model.consistency import Level
from taulu.model.table import (
    Bounds,
    CachePolicy,
    ClusteringColumn,
    Column,
    Kind,
    Limits,
    Table,
)
from taulu.model.value import INT64_MAX, INT64_MIN, KEY_TYPES
from taulu.schema.problems import Problem, SchemaInvalid, nearest
from taulu.schema.source import Document, Where, read_documents
from taulu.schema.table_file import KINDS, LEVELS, CachePart, SpecPart, TableFile
from taulu.schema.validation import validate

SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class _Described:
    """A table with the document that it came from."""

    table: Table
    document: Document


def load_tables(paths: Sequence[Path]) -> list[Table]:
    """Return the tables in files and folders, by name.

    Raises:
        SchemaInvalid: Something is wrong; the message has every problem with its place.
    """
    described, problems = _read(paths)
    if problems:
        raise SchemaInvalid(problems)
    return sorted((found.table for found in described), key=lambda table: table.full_name)


def check_tables(paths: Sequence[Path]) -> list[Problem]:
    """Return everything that is wrong with the tables in files and folders."""
    return _read(paths)[1]


def _read(paths: Sequence[Path]) -> tuple[list[_Described], list[Problem]]:
    described: list[_Described] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            files = _files(path)
        except SchemaInvalid as error:
            problems += error.problems
            continue
        for file in files:
            try:
                documents = read_documents(file)
            except SchemaInvalid as error:
                problems += error.problems
                continue
            for document in documents:
                made = _table(document)
                if isinstance(made, Table):
                    described.append(_Described(made, document))
                else:
                    problems += made
    problems += _duplicates(described)
    return described, problems


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.exists():
        raise SchemaInvalid([Problem(str(path), 1, 1, "is not there; set `tables` to what is")])
    files = sorted(p for p in path.rglob("*") if p.suffix in SUFFIXES and p.is_file())
    if not files:
        message = "holds no file that ends in .yaml; put a table's description there"
        raise SchemaInvalid([Problem(str(path), 1, 1, message)])
    return files


def _duplicates(described: Sequence[_Described]) -> Iterator[Problem]:
    first: dict[str, _Described] = {}
    for found in described:
        name = found.table.full_name
        before = first.setdefault(name, found)
        if before is not found:
            where: Where = ("metadata", "name")
            message = f"table {name} is described in {before.document.file} too; remove one"
            yield found.document.problem(where, message)


def _table(document: Document) -> Table | list[Problem]:
    read = validate(document, TableFile)
    if not isinstance(read, TableFile):
        return read
    problems = [document.problem(where, message) for where, message in _contradictions(read.spec)]
    return problems or _made(read)


def _contradictions(spec: SpecPart) -> Iterator[tuple[Where, str]]:
    """Yield what is wrong between parts that are each right by themselves."""
    yield from _key_problems(spec)
    yield from _kind_problems(spec)
    if spec.bounds is not None:
        low = INT64_MIN if spec.bounds.floor is None else spec.bounds.floor
        high = INT64_MAX if spec.bounds.ceiling is None else spec.bounds.ceiling
        if low > high:
            yield ("spec", "bounds"), "the floor lies above the ceiling"
        elif not low <= 0 <= high:
            yield ("spec", "bounds"), "a counter begins at 0, which must lie within its bounds"
    level, bound = spec.consistency.read, spec.consistency.max_staleness
    if (level == Level.BOUNDED_STALENESS.name) != (bound is not None):
        message = "max_staleness goes with read: BOUNDED_STALENESS, and that level needs it"
        yield ("spec", "consistency"), message


def _key_names(spec: SpecPart) -> list[tuple[Where, str]]:
    names: list[tuple[Where, str]] = []
    for at, name in enumerate(spec.key.partition):
        names.append((("spec", "key", "partition", at), name))
    for at, order in enumerate(spec.key.clustering):
        names += [(("spec", "key", "clustering", at), name) for name in order]
    return names


def _key_problems(spec: SpecPart) -> Iterator[tuple[Where, str]]:
    seen: set[str] = set()
    for at, order in enumerate(spec.key.clustering):
        if len(order) != 1:
            yield ("spec", "key", "clustering", at), "name one column per line"
    for where, name in _key_names(spec):
        column = spec.columns.get(name)
        if name in seen:
            yield where, f"column {name!r} stands twice in the key"
        elif column is None:
            yield where, f"no column is called {name!r}; {nearest(name, spec.columns)}"
        elif column.type.name not in KEY_TYPES:
            types = ", ".join(sorted(key_type.value for key_type in KEY_TYPES))
            yield where, f"column {name!r} is of type {column.type}; a key column has {types}"
        seen.add(name)


def _kind_problems(spec: SpecPart) -> Iterator[tuple[Where, str]]:
    kind = spec.kind
    clustering: Where = ("spec", "key", "clustering")
    if kind == "wide" and not spec.key.clustering:
        yield ("spec", "key"), "a wide table needs clustering columns; without them it is kv"
    if kind != "wide" and spec.key.clustering:
        yield clustering, f"a {kind} table has no clustering columns; a wide table has"
    if kind != "counter" and spec.bounds is not None:
        yield ("spec", "bounds"), f"only a counter table has bounds, and this is {kind}"
    if kind == "log" and spec.partitions is None:
        yield ("spec",), "a log table needs `partitions`, the number of its partitions"
    if kind != "log" and spec.partitions is not None:
        yield ("spec", "partitions"), f"only a log table has partitions, and this is {kind}"
    if kind != "wide" and spec.limits.partition_rows is not None:
        yield ("spec", "limits", "partition_rows"), "only a wide table has rows in partitions"
    if kind in ("counter", "log") and spec.cache is not None:
        yield ("spec", "cache"), f"a {kind} table is never cached; remove the block"
    elif spec.cache is not None:
        yield from _cache_problems(spec, spec.cache)
    if kind == "counter":
        yield from _counter_problems(spec)


def _cache_problems(spec: SpecPart, cache: CachePart) -> Iterator[tuple[Where, str]]:
    at: Where = ("spec", "cache")
    for place, name in enumerate(cache.columns):
        if name not in spec.columns:
            where = (*at, "columns", place)
            yield where, f"no column is called {name!r}; {nearest(name, spec.columns)}"
    if cache.queries and spec.kind != "wide":
        yield (*at, "queries"), f"only a wide table has queries, and this is {spec.kind}"
    if "near" not in cache.tiers:
        if cache.write == "through":
            yield (*at, "write"), "`through` fills the near cache, which `tiers` leaves out"
        if cache.warm_up_rows:
            yield (*at, "warm_up_rows"), "it fills the near cache, which `tiers` leaves out"


def _counter_problems(spec: SpecPart) -> Iterator[tuple[Where, str]]:
    key = {name for _, name in _key_names(spec)}
    for name in spec.columns:
        if name not in key:
            yield ("spec", "columns", name), "a counter table has key columns only"
    if spec.ttl is not None:
        yield ("spec", "ttl"), "a counter table has no ttl: counters are kept for ever"


def _made(read: TableFile) -> Table:
    spec = read.spec
    columns = {
        name: Column(name, part.type, part.doc, part.pii) for name, part in spec.columns.items()
    }
    clustering = tuple(
        ClusteringColumn(columns[name], descending=direction == "desc")
        for order in spec.key.clustering
        for name, direction in order.items()
    )
    key = {*spec.key.partition, *(c.column.name for c in clustering)}
    return Table(
        namespace=read.metadata.namespace,
        name=read.metadata.name,
        kind=Kind(KINDS[spec.kind]),
        partition_key=tuple(columns[name] for name in spec.key.partition),
        clustering_key=clustering,
        columns=tuple(sorted((c for n, c in columns.items() if n not in key), key=_name)),
        storage=spec.storage.adapter,
        options=spec.storage.options,
        read_level=LEVELS[spec.consistency.read],
        write_level=LEVELS[spec.consistency.write],
        staleness_us_max=spec.consistency.max_staleness,
        ttl_us=spec.ttl,
        limits=Limits(**spec.limits.model_dump()),
        bounds=Bounds() if spec.bounds is None else Bounds(**spec.bounds.model_dump()),
        log_partitions=spec.partitions or 0,
        cache=_cache(spec),
        owner=read.metadata.owner,
        doc=read.metadata.doc,
    )


def _name(column: Column) -> str:
    return column.name


def _cache(spec: SpecPart) -> CachePolicy | None:
    cache = spec.cache
    if cache is None:
        return None
    return CachePolicy(
        tiers=tuple(cache.tiers),
        ttl_us=cache.ttl,
        negative_ttl_us=cache.negative_ttl or 0,
        staleness_us=cache.staleness,
        jitter=cache.jitter,
        is_write_through=cache.write == "through",
        columns=tuple(cache.columns),
        has_queries=cache.queries,
        serve_stale_on_error=cache.serve_stale_on_error,
        warm_up_rows=cache.warm_up_rows,
    )
