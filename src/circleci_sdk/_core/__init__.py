"""The handwritten core: what carries each call to the wire and back. Private; import from `circleci_sdk`."""
