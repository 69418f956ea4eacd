"""What handlers and the protocol share: requests and responses as data, the bundled specs, formats of values."""
