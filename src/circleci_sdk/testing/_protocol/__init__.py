"""From a request to a response: which operation it is, whether it is well formed, and what goes wrong on purpose."""
