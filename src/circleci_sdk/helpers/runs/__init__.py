"""Start, wait for, watch and explain runs."""
