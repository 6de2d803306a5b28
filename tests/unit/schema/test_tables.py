# ruff: noqa: E501 - one mistake per line reads best
from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from taulu.model import (
    Bounds,
    CachePolicy,
    ClusteringColumn,
    Column,
    ColumnType,
    Kind,
    Level,
    Limits,
    Table,
    TypeName,
)
from taulu.schema import SchemaInvalid, check_tables, load_tables
from taulu.schema.source import parse_documents

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples" / "tables"

DECISIONS = """\
apiVersion: taulu/v1
kind: Table
metadata: {namespace: refunds, name: decisions, owner: refund-optimisation}
spec:
  kind: wide
  key: {partition: [customer_id], clustering: [{decided_at: desc}, claim_id]}
  columns:
    customer_id: {type: string, pii: pseudonymous}
    decided_at:  timestamp
    claim_id:    string
    amount_cents: int64
    features_seen: {type: "map<string,int64>", doc: version of every feature row that was read}
  storage: {adapter: cassandra}
  consistency: {read: SESSION, write: QUORUM}
  cache: {tiers: [near, shared], ttl: 30s, negative_ttl: 5s}
  ttl: 730d
  limits: {row_bytes: 64KiB, partition_rows: 100000}
"""
KV = """\
apiVersion: taulu/v1
kind: Table
metadata: {namespace: n, name: t}
spec:
  kind: kv
  key: {partition: [id]}
  columns: {id: string, value: int64}
"""


def problems(text: str | bytes, folder: Path) -> list[str]:
    path = folder / "t.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return [str(problem).removeprefix(f"{path}:") for problem in check_tables([path])]


def test_a_table_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(DECISIONS)
    string, moment, number = (
        ColumnType(name) for name in (TypeName.STRING, TypeName.TIMESTAMP, TypeName.INT64)
    )
    assert load_tables([path]) == [
        Table(
            namespace="refunds",
            name="decisions",
            kind=Kind.WIDE,
            partition_key=(Column("customer_id", string, pii="pseudonymous"),),
            clustering_key=(
                ClusteringColumn(Column("decided_at", moment), descending=True),
                ClusteringColumn(Column("claim_id", string)),
            ),
            columns=(
                Column("amount_cents", number),
                Column(
                    "features_seen",
                    ColumnType(TypeName.MAP, element=number),
                    doc="version of every feature row that was read",
                ),
            ),
            storage="cassandra",
            read_level=Level.SESSION,
            write_level=Level.QUORUM,
            ttl_us=730 * 86_400_000_000,
            limits=Limits(row_bytes=65_536, partition_rows=100_000),
            cache=CachePolicy(("near", "shared"), 30_000_000, 5_000_000),
            owner="refund-optimisation",
        )
    ]


def test_the_examples_are_sound_and_of_every_kind() -> None:
    tables = load_tables([EXAMPLES])
    assert {table.kind for table in tables} == set(Kind)
    credits_table = next(table for table in tables if table.kind is Kind.COUNTER)
    assert credits_table.bounds == Bounds(0, 100_000)


def test_several_documents_of_one_file_are_tables_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(KV + "---\n" + KV.replace("name: t", "name: u") + "---\n")
    assert [table.full_name for table in load_tables([path])] == ["n.t", "n.u"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("spec:", "\tspec:", "4:1: is not YAML: while scanning for the next token"),
        ("[id]}", "[id", "7:10: is not YAML: while parsing a flow sequence"),
        ("[id]", '["id]', "8:1: is not YAML: while scanning a quoted scalar"),
        ("kind: kv", "kind: kv\n  kind: wide", "6:3: key 'kind' stands twice"),
        ("[id]", "&a [id]", "6:20: anchors and aliases are not taken"),
        ("name: t", "name: !!python/name:os.system t", "3:32: the tag"),
        ("name: t", "name: !!python/object/apply:os.system [t]", "3:32: the tag"),
        ("name: t", "name: t\x07", "3:33: is not YAML: the character 0x0007 is not taken"),
        ("name: t", 'name: t, doc: "\\ud800"', "3:40: half a surrogate pair is no text"),
        ("kind: kv", f"kind: kv\n  partitions: {'9' * 5000}", "6:15: this is no value of YAML"),
        ("kind: kv", "kind: kv\n  partitions: !!int x", "6:15: this is no value of YAML"),
        ("kind: kv", "kind: kv\n  ttl: 36501d", "6:8: '36501d' is no duration"),
        ("kind: kv", "kind: kv\n  cache: {tiers: [near, near], ttl: 1s}", "6:18: name each once"),
        ("name: t", "name: Té", "3:32: 'Té' is no name; a name has small letters"),
        ("value: int64", "Value: int64", "7:25: 'Value' is no name; a name has small letters"),
        ("[id]", "[]", "6:20: partition: name at least 1"),
        ("spec:", "spek:", "4:1: unknown key 'spek'; did you mean 'spec'?"),
        ("  key:", "  kye:", "6:3: unknown key 'kye'; did you mean 'key'?"),
        ("name: t", "nmae: t", "3:26: unknown key 'nmae'; did you mean 'name'?"),
        ("value: int64", "value: {type: int64, dco: x}", "7:46: unknown key 'dco'; did you mean 'doc'?"),
        ("taulu/v1", "taulu/v2", "1:13: 'taulu/v2' is not known here; did you mean 'taulu/v1'?"),
        ("kind: kv", "kind: wiide", "5:9: 'wiide' is not known here; did you mean 'wide'?"),
        ("value: int64", "value: int46", "7:32: no column type is called 'int46'; did you mean 'int64'?"),
        ("value: int64", "value: list<sting>", "7:32: no column type is called 'sting'; did you mean 'string'?"),
        ("value: int64", "value: vector<0>", "7:32: a vector has 1 to"),
        ("[id]", "[idd]", "6:21: no column is called 'idd'; did you mean 'id'?"),
        ("[id]", "[id, id]", "6:25: column 'id' stands twice in the key"),
        ("id: string", "id: float64", "6:21: column 'id' is of type float64; a key column has bool"),
        ("[id]}", "[id], clustering: [value]}", "6:38: a kv table has no clustering columns"),
        ("kind: kv", "kind: wide", "6:8: a wide table needs clustering columns"),
        ("kind: kv", "kind: counter", "7:32: a counter table has key columns only"),
        ("kind: kv", "kind: log", "5:3: a log table needs `partitions`"),
        ("kind: kv", "kind: kv\n  partitions: 4", "6:15: only a log table has partitions"),
        ("kind: kv", "kind: kv\n  bounds: {floor: 0}", "6:11: only a counter table has bounds"),
        ("kind: kv", "kind: kv\n  limits: {partition_rows: 5}", "6:28: only a wide table has rows"),
        ("kind: kv", "kind: kv\n  limits: {row_byte: 5}", "6:12: unknown key 'row_byte'; did you mean 'row_bytes'?"),
        ("kind: kv", "kind: kv\n  limits: {row_bytes: 5 apples}", "6:23: '5 apples' is no size"),
        ("kind: kv", "kind: kv\n  ttl: 5 days", "6:8: '5 days' is no duration"),
        ("kind: kv", "kind: kv\n  ttl: 5", "6:8: 5 is no duration"),
        ("kind: kv", "kind: kv\n  consistency: {read: QORUM}", "6:23: 'QORUM' is not known here; did you mean 'QUORUM'?"),
        ("kind: kv", "kind: kv\n  consistency: {read: BOUNDED_STALENESS}", "6:16: max_staleness goes with"),
        ("kind: kv", "kind: kv\n  cache: {tiers: [far], ttl: 1s}", "6:19: 'far' is not known here"),
        ("kind: kv", "kind: kv\n  storage: embedded", "6:12: a mapping of keys to values is needed here"),
        ("namespace: n", "namespace: N", "3:23: 'N' is no name; a name has small letters"),
        ("{id: string, value: int64}", "[id]", "7:12: a mapping of keys to values is needed here"),
        ("  columns: {id: string, value: int64}\n", "", "5:3: key 'columns' is missing"),
        ("kind: kv", "kind: kv\n  limits: {batch_keys: -1}", "6:24: batch_keys: should be greater than"),
        ("kind: kv", "kind: kv\n  limits: {batch_keys: '9'}", "6:24: batch_keys: should be a valid integer, not '9'"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place_and_the_nearest_word(
    old: str, new: str, expected: str, tmp_path: Path
) -> None:
    assert old in KV
    found = problems(KV.replace(old, new, 1), tmp_path)
    assert any(problem.startswith(expected) for problem in found), found


def test_bytes_that_are_no_text_are_told_with_their_place(tmp_path: Path) -> None:
    assert problems(b"kind: Table\nname: \xff\n", tmp_path) == ["2:7: is not UTF-8 text"]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("bounds: {floor: 5, ceiling: 1}", "the floor lies above the ceiling"),
        ("bounds: {floor: 1}", "a counter begins at 0"),
        ("ttl: 5d", "a counter table has no ttl"),
        ("cache: {tiers: [near], ttl: 1s}", "a counter table is never cached"),
    ],
)
def test_what_a_counter_cannot_have_is_told(spec: str, expected: str, tmp_path: Path) -> None:
    text = KV.replace("kind: kv", f"kind: counter\n  {spec}").replace(", value: int64", "")
    (found,) = problems(text, tmp_path)
    assert expected in found


def test_every_problem_of_every_file_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(KV.replace("kv", "kw") + "---\n" + KV.replace("[id]", "[ix]"))
    (tmp_path / "b.yml").write_text("kind: [")
    (tmp_path / "c.yaml").write_text(KV)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "d.yaml").write_text(KV)
    found = [str(problem) for problem in check_tables([tmp_path, tmp_path / "none"])]
    assert len(found) == 5
    assert f"{tmp_path}/none:1:1: is not there" in found[3]
    assert "table n.t is described in" in found[4]
    with pytest.raises(SchemaInvalid) as invalid:
        load_tables([tmp_path])
    assert len(invalid.value.problems) == 4
    assert invalid.value.message.count("\n") == 3


def test_a_folder_without_tables_is_told(tmp_path: Path) -> None:
    with pytest.raises(SchemaInvalid, match="holds no file that ends in"):
        load_tables([tmp_path])


def test_files_too_large_or_too_deep_are_refused(tmp_path: Path) -> None:
    (found,) = problems("# " + "x" * 1_100_000, tmp_path)
    assert "more than 1048576" in found
    (found,) = problems("a: " + "[" * 100 + "]" * 100, tmp_path)
    assert "nests deeper than" in found


@given(st.one_of(st.binary(), st.text().map(str.encode)))
def test_any_bytes_are_documents_or_a_problem(data: bytes) -> None:
    try:
        parse_documents("x", data)
    except SchemaInvalid as error:
        places = [(problem.line, problem.column) for problem in error.problems]
    else:
        places = []
    assert all(line >= 1 and column >= 1 for line, column in places)


_WORDS = st.sampled_from(
    ["kind", "Table", "kv", "spec", "key", "columns", "id", "type", "ttl", "5d", "limits", "", "x"]
)
_TREES = st.recursive(
    st.one_of(_WORDS, st.integers(), st.floats(), st.booleans(), st.none(), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(_WORDS, inner)),
    max_leaves=12,
)


@given(
    st.dictionaries(_WORDS, _TREES), _TREES, st.sampled_from(["spec", "metadata", "columns", "key"])
)
def test_any_tree_is_a_table_or_problems(
    tmp_path_factory, extra: dict, tree: object, part: str
) -> None:
    whole = yaml.safe_load(KV)
    whole.update({key: value for key, value in extra.items() if key == "x"})
    if part in whole:
        whole[part] = tree
    else:
        whole["spec"][part] = tree
    path = tmp_path_factory.getbasetemp() / "tree.yaml"
    path.write_text(yaml.safe_dump(whole, allow_unicode=True), encoding="utf-8", errors="ignore")
    for problem in check_tables([path]):
        assert problem.message
