"""Reads Python by its syntax tree.

calls        requests to addresses
clients      uses of the methods of other clients
instances    which expressions are clients
strings      which strings an expression may be
texts        how the strings of its parts are put together
module       the scopes of a module, and what their names are bound to
"""
