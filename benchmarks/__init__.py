"""How fast the package is beside its peers. `nox -s bench` runs everything; README.md says what is measured and how."""
