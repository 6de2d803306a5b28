"""What every test folder may use."""

pytest_plugins = ["pytester", "tests.results", "tests.testbed.redis_fixtures"]
