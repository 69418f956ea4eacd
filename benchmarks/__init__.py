"""Benchmarks of the package against other clients. `nox -s bench` runs all of them; README.md describes the methods."""
