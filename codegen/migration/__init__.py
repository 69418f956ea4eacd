"""Writes the table of `circleci_sdk.migrate` and the pages in docs/migration, from openapi/migration.yaml."""
