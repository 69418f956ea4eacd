"""Responses that are read piece by piece."""
