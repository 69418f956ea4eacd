"""Formats of values in requests."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID


def is_uuid(text: str) -> bool:
    """Whether a string is a UUID in its usual form."""
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


def read_time(text: str) -> datetime | None:
    """A date and time with a zone; None for other strings."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
