"""Organizations by slug or id: the API takes the one here and the other there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .arguments import is_id

if TYPE_CHECKING:
    from circleci_sdk.v2._client import V2


async def org_id_of(v2: V2, org: str) -> str:
    """The id of an organization; one call for a slug, none for an id."""
    return org if is_id(org) else (await v2.organizations.get(org)).id


async def org_slug_of(v2: V2, org: str) -> str:
    """The slug of an organization; one call for an id, none for a slug."""
    return (await v2.organizations.get(org)).slug if is_id(org) else org
