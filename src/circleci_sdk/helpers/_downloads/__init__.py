"""Files fetched and saved."""
