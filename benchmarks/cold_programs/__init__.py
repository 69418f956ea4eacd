"""Scripts that make one call over HTTPS: with this package, and with httpx and one pydantic model.

Each takes the URL of the server. `SSL_CERT_FILE` names the certificates for both sides.
"""
