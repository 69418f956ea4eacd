"""`v2.users`: the caller, other users, and collaborations."""

from __future__ import annotations

from circleci_sdk.testing._wire.messages import ErrorResponse

from .context import RequestContext, handles
from .runs_v2 import show_user


@handles("v2.users.me")
def me(ctx: RequestContext) -> object:
    return show_user(ctx.user)


@handles("v2.users.get")
def get(ctx: RequestContext) -> object:
    user = ctx.store.users.get(ctx.call["user_id"])
    if user is None:
        raise ErrorResponse(404, "User not found")
    return show_user(user)


@handles("v2.users.list_collaborations")
def list_collaborations(ctx: RequestContext) -> object:
    personal = {
        "id": None,
        "vcs_type": "github",
        "name": ctx.user.login,
        "avatar_url": ctx.user.avatar_url,
        "slug": f"gh/{ctx.user.login}",
    }
    return [
        personal,
        *(
            {
                "id": organization.id,
                "vcs_type": organization.vcs_type,
                "name": organization.name,
                "avatar_url": "https://avatars.githubusercontent.com/u/1?v=4",
                "slug": organization.slug,
            }
            for organization in ctx.store.organizations.values()
            if not organization.hidden
        ),
    ]
