"""`v2.oidc_claims`: audience and lifetime of OIDC tokens."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from circleci_sdk.testing._wire.messages import Refusal

from .desk import Desk, answers, millis, present

if TYPE_CHECKING:
    from circleci_sdk.testing._state.projects import FakeProject
    from circleci_sdk.testing._state.things import Claims, JsonObject

_DURATION = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_UNITS = (604_800, 86_400, 3_600, 60, 1)


@answers("v2.oidc_claims.get_for_org")
def get_for_org(desk: Desk) -> object:
    return _show_org(desk)


@answers("v2.oidc_claims.update_for_org")
def update_for_org(desk: Desk) -> object:
    _update(desk, desk.allowed_organization().claims)
    return _show_org(desk)


@answers("v2.oidc_claims.delete_for_org")
def delete_for_org(desk: Desk) -> object:
    _delete(desk, desk.allowed_organization().claims)
    return _show_org(desk)


@answers("v2.oidc_claims.get_for_project")
def get_for_project(desk: Desk) -> object:
    return _show_project(desk)


@answers("v2.oidc_claims.update_for_project")
def update_for_project(desk: Desk) -> object:
    _update(desk, _project(desk).claims)
    return _show_project(desk)


@answers("v2.oidc_claims.delete_for_project")
def delete_for_project(desk: Desk) -> object:
    _delete(desk, _project(desk).claims)
    return _show_project(desk)


def _project(desk: Desk) -> FakeProject:
    project = desk.allowed_organization().projects.get(desk.call["project_id"])
    if project is None or project.hidden:
        raise Refusal(403, "Forbidden")
    return project


def _update(desk: Desk, claims: Claims) -> None:
    if "ttl" in desk.call.args:
        claims.ttl, claims.ttl_updated_at = normalized(desk.call["ttl"]), desk.now
    if "audience" in desk.call.args:
        claims.audience, claims.audience_updated_at = desk.call["audience"], desk.now


def _delete(desk: Desk, claims: Claims) -> None:
    if "ttl" in desk.call["claims"]:
        claims.ttl = claims.ttl_updated_at = None
    if "audience" in desk.call["claims"]:
        claims.audience = claims.audience_updated_at = None


def normalized(ttl: str) -> str:
    """A lifetime as the server writes it: `90m` is `1h30m0s`. Raises `Refusal` with 400 for what is none."""
    match = _DURATION.fullmatch(ttl)
    if match is None or not ttl:
        raise Refusal(400, f"Invalid ttl '{ttl}'.")
    seconds = sum(int(number or 0) * unit for number, unit in zip(match.groups(), _UNITS, strict=True))
    hours, minutes = seconds // 3600, seconds // 60 % 60
    if hours:
        return f"{hours}h{minutes}m{seconds % 60}s"
    return f"{minutes}m{seconds % 60}s" if minutes else f"{seconds}s"


def _show_org(desk: Desk) -> JsonObject:
    organization = desk.allowed_organization()
    return {"org_id": organization.id, **_show(organization.claims)}


def _show_project(desk: Desk) -> JsonObject:
    project = _project(desk)
    return {"org_id": project.organization.id, "project_id": project.id, **_show(project.claims)}


def _show(claims: Claims) -> JsonObject:
    return present(
        audience=claims.audience,
        audience_updated_at=millis(claims.audience_updated_at) if claims.audience_updated_at else None,
        ttl=claims.ttl,
        ttl_updated_at=millis(claims.ttl_updated_at) if claims.ttl_updated_at else None,
    )
