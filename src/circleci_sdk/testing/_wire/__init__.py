"""From a request to an answer: which operation it is, whether it is well formed, and what goes wrong on purpose."""
