"""Shared by the helpers: arguments, organizations, retries, concurrency, deadlines."""
