"""What every test folder may use."""

pytest_plugins = ["pytester", "tests.testbed.redis_fixtures"]
