"""The Cassandra adapter: every kind of table, with real typed columns."""

from taulu_cassandra.adapter import CassandraAdapter

__all__ = ["CassandraAdapter"]
