"""Handlers of API v3: the state of v2 in envelopes. One module per resource."""
