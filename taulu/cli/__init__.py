"""The command line: arguments to calls, and results to tables or JSON."""
