"""`v2.users`: who the caller is, and whom the caller works with."""

from __future__ import annotations

from circleci_sdk.testing._wire.messages import Refusal

from .desk import Desk, answers
from .runs_v2 import show_user


@answers("v2.users.me")
def me(desk: Desk) -> object:
    return show_user(desk.user)


@answers("v2.users.get")
def get(desk: Desk) -> object:
    user = desk.world.users.get(desk.call["user_id"])
    if user is None:
        raise Refusal(404, "User not found")
    return show_user(user)


@answers("v2.users.list_collaborations")
def list_collaborations(desk: Desk) -> object:
    personal = {
        "id": None,
        "vcs_type": "github",
        "name": desk.user.login,
        "avatar_url": desk.user.avatar_url,
        "slug": f"gh/{desk.user.login}",
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
            for organization in desk.world.organizations.values()
            if not organization.hidden
        ),
    ]
