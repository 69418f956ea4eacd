"""A command that finds calls that CircleCI ends, and calls of other clients, in a code base. It changes nothing.

    python -m circleci_sdk.migrate PATH

Nothing of it is public but the command. Its layers, each of which imports only those below:

    __main__      the command line
    _report       findings as text or JSON
    _scan         one file: read, choose a reader, find
    _python       Python, by its syntax tree
    _text         other languages, by addresses
    _routes       from an address and a method to the route that ends
    _walk         the files of a folder
    _findings     what is found
    _table        the data, generated
    _entries      types of the data
"""
