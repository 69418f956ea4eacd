"""The event loop in a thread that runs the calls of sync clients, and what their generated classes are made of."""
