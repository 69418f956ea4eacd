"""The reference of the documentation site, from the same reading of the specs as the code.

`python -m codegen.reference` writes a page for each resource and for each group of models below `docs/reference/`.
"""
