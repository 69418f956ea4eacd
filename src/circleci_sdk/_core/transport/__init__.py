"""I/O: sends one request. The only place that knows httpx."""
