"""Turns the specs under `openapi/` into the packages `circleci_sdk.v1` and `circleci_sdk.v2`.

    nodes, source           one YAML file -> nodes that know their file and line
    spec                    the files of a version -> one document, its references checked
    shapes, schemas         schemas -> components: records, value sets, maps, unions
    parameters, responses,
    operations              path items -> operations, by resource
    placement               which component becomes a model, and in which module
    lowering, models        components -> what datamodel-code-generator takes -> model modules
    tables, typed_dicts,
    signatures, docstrings,
    imports, render         operations -> the other modules, through templates
    formatting              ruff, once over everything
    build                   all of the above: from a folder of specs to the content of every file
    tree                    the files on disk: compared, written

Each step is a pure function of the previous one; only `source`, `formatting` and `tree` access files. An unsupported
spec raises `SpecError` with the location and a remedy, and nothing is written.
"""
