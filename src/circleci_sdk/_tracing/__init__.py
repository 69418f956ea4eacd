"""Spans of OpenTelemetry. Loaded only for clients that ask for them."""
