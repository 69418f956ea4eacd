"""How a request comes in: in process, or over a port."""
