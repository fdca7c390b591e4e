"""The verbs, as a user calls them: each test runs the real command line against a Hub on loopback."""
