"""The Cassandra adapter."""
