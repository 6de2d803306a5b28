"""What every test folder may use."""

pytest_plugins = [
    "pytester",
    "tests.results",
    "tests.testbed.docker_fixtures",
    "tests.testbed.kafka_fixtures",
    "tests.testbed.postgres_fixture",
    "tests.testbed.cassandra_fixtures",
    "tests.testbed.redis_fixtures",
]
