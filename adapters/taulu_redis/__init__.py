"""The Redis adapter: every kind of table, each mutation one script in one hash slot."""

from taulu_redis.adapter import RedisAdapter

__all__ = ["RedisAdapter"]
