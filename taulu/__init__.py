"""Taulu: one gRPC data access layer in front of the stores a company already runs."""
