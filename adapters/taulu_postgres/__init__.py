"""The PostgreSQL adapter: every kind of table in typed columns, on PostgreSQL or CockroachDB."""

from taulu_postgres.adapter import PostgresAdapter

__all__ = ["PostgresAdapter"]
