"""The sync client, generated from the source of the async one: signatures, types and docstrings by its syntax trees."""
