"""`v2.oidc_claims`: audience and lifetime of OIDC tokens."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from circleci_sdk.testing._wire.messages import ErrorResponse

from .context import RequestContext, handles, millis, present, unordered

if TYPE_CHECKING:
    from circleci_sdk.testing._store.entities import ProjectState
    from circleci_sdk.testing._store.records import FakeClaims, JsonObject

_DURATION = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_UNITS = (604_800, 86_400, 3_600, 60, 1)


@handles("v2.oidc_claims.get_for_org")
def get_for_org(ctx: RequestContext) -> object:
    return _show_org(ctx)


@handles("v2.oidc_claims.update_for_org")
def update_for_org(ctx: RequestContext) -> object:
    _update(ctx, ctx.allowed_organization().claims)
    return _show_org(ctx)


@handles("v2.oidc_claims.delete_for_org")
def delete_for_org(ctx: RequestContext) -> object:
    _delete(ctx, ctx.allowed_organization().claims)
    return _show_org(ctx)


@handles("v2.oidc_claims.get_for_project")
def get_for_project(ctx: RequestContext) -> object:
    return _show_project(ctx)


@handles("v2.oidc_claims.update_for_project")
def update_for_project(ctx: RequestContext) -> object:
    _update(ctx, _project(ctx).claims)
    return _show_project(ctx)


@handles("v2.oidc_claims.delete_for_project")
def delete_for_project(ctx: RequestContext) -> object:
    _delete(ctx, _project(ctx).claims)
    return _show_project(ctx)


def _project(ctx: RequestContext) -> ProjectState:
    project = ctx.allowed_organization().projects.get(ctx.call["project_id"])
    if project is None or project.hidden:
        raise ErrorResponse(403, "Forbidden")
    return project


def _update(ctx: RequestContext, claims: FakeClaims) -> None:
    if "ttl" in ctx.call.args:
        claims.ttl, claims.ttl_updated_at = normalized(ctx.call["ttl"]), ctx.now
    if "audience" in ctx.call.args:
        claims.audience, claims.audience_updated_at = unordered(ctx.call["audience"]), ctx.now


def _delete(ctx: RequestContext, claims: FakeClaims) -> None:
    if "ttl" in ctx.call["claims"]:
        claims.ttl = claims.ttl_updated_at = None
    if "audience" in ctx.call["claims"]:
        claims.audience = claims.audience_updated_at = None


def normalized(ttl: str) -> str:
    """A lifetime in the format of the server: `90m` is `1h30m0s`. Raises `ErrorResponse` with 400 for other strings."""
    match = _DURATION.fullmatch(ttl)
    if match is None or not ttl:
        raise ErrorResponse(400, f"Invalid ttl '{ttl}'.")
    seconds = sum(int(number or 0) * unit for number, unit in zip(match.groups(), _UNITS, strict=True))
    hours, minutes = seconds // 3600, seconds // 60 % 60
    if hours:
        return f"{hours}h{minutes}m{seconds % 60}s"
    return f"{minutes}m{seconds % 60}s" if minutes else f"{seconds}s"


def _show_org(ctx: RequestContext) -> JsonObject:
    organization = ctx.allowed_organization()
    return {"org_id": organization.id, **_show(organization.claims)}


def _show_project(ctx: RequestContext) -> JsonObject:
    project = _project(ctx)
    return {"org_id": project.organization.id, "project_id": project.id, **_show(project.claims)}


def _show(claims: FakeClaims) -> JsonObject:
    return present(
        audience=claims.audience,
        audience_updated_at=millis(claims.audience_updated_at) if claims.audience_updated_at else None,
        ttl=claims.ttl,
        ttl_updated_at=millis(claims.ttl_updated_at) if claims.ttl_updated_at else None,
    )
