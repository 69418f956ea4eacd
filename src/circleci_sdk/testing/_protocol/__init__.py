"""From a request to a response: routing, authentication, validation, faults, rate limits and recording."""
