"""Decisions about retries and rate limits."""
