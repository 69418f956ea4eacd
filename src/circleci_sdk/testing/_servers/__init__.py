"""The ways in and out of the fake: an httpx transport, an ASGI application, a port, a client, webhook deliveries."""
