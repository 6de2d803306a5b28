"""What every test folder may use."""

from hypothesis import HealthCheck, settings

pytest_plugins = [
    "pytester",
    "tests.results",
    "tests.testbed.kafka_fixtures",
    "tests.testbed.postgres_fixture",
    "tests.testbed.cassandra_fixtures",
    "tests.testbed.redis_fixtures",
]

# How long an example takes says how busy the machine is, and nothing of the code.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")
