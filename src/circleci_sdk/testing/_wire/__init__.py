"""Shared by handlers and protocol: requests and responses as data, the bundled specs, formats of values."""
