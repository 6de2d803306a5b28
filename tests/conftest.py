"""What every test folder may use."""

pytest_plugins = [
    "pytester",
    "tests.results",
    "tests.testbed.cassandra_fixtures",
    "tests.testbed.redis_fixtures",
]
