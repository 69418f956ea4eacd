"""`v2.organizations` and `v2.groups`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circleci_sdk.testing._state.things import Stored
from circleci_sdk.testing._state.world import SHORT_VCS
from circleci_sdk.testing._wire.messages import Refusal, Reply

from .desk import Desk, answers, present

if TYPE_CHECKING:
    from circleci_sdk.testing._state.things import FakeOrganization, JsonObject

MOST_GROUPS = 100


@answers("v2.organizations.create")
def create(desk: Desk) -> object:
    vcs, name = desk.call["vcs_type"], desk.call["name"]
    if not name.strip() or "/" in name:
        raise Refusal(400, "Invalid organization name.")
    if vcs == "circleci":
        organization = desk.world.add_organization(f"circleci/{desk.world.ids.short()}", name=name)
        return _show(organization)
    # On a code host an organization is found, or taken over from there.
    slug = f"{SHORT_VCS[vcs]}/{name}"
    found = desk.world.organization(slug)
    if found is not None and found.hidden:
        raise Refusal(404, "Org not found.")
    return _show(found or desk.world.add_organization(slug))


@answers("v2.organizations.get")
def get(desk: Desk) -> object:
    return _show(desk.organization("org_slug_or_id"))


@answers("v2.organizations.delete")
def delete(desk: Desk) -> object:
    organization = desk.organization("org_slug_or_id")
    desk.world.clock.call_later(1.0, lambda: desk.world.remove_organization(organization))
    return {"message": "Organization is being deleted."}


def _show(organization: FakeOrganization) -> JsonObject:
    return {
        "id": organization.id,
        "name": organization.name,
        "slug": organization.slug,
        "vcs_type": organization.vcs_type,
    }


@answers("v2.organizations.list_orb_allow_list_entries")
def list_orb_allow_list_entries(desk: Desk) -> object:
    entries = desk.organization("org_slug_or_id").orb_urls
    return desk.page(list(entries.values()), lambda entry: entry.shown)


@answers("v2.organizations.create_orb_allow_list_entry")
def create_orb_allow_list_entry(desk: Desk) -> object:
    organization = desk.organization("org_slug_or_id")
    id = desk.world.ids.uuid()
    shown = {"id": id, "name": desk.call["name"], "prefix": desk.call["prefix"], "auth": desk.call["auth"]}
    organization.orb_urls[id] = Stored(id, shown, desk.now, desk.now)
    return {"id": id, "message": "URL orb allow-list entry created."}


@answers("v2.organizations.delete_orb_allow_list_entry")
def delete_orb_allow_list_entry(desk: Desk) -> object:
    id = desk.call["allow_list_entry_id"]
    if desk.organization("org_slug_or_id").orb_urls.pop(id, None) is None:
        raise Refusal(404, "Entry not found.")
    return {"id": id, "message": "URL orb allow-list entry removed."}


@answers("v2.groups.list")
def list_groups(desk: Desk) -> object:
    groups = desk.allowed_organization().groups
    # The API ignores both parameters of paging and gives all groups at once.
    return {
        "items": [group.shown for group in groups.values()],
        "next_page_token": None,
        "total_count": len(groups),
    }


@answers("v2.groups.create")
def create_group(desk: Desk) -> object:
    organization = desk.allowed_organization()
    name = desk.call["name"]
    if len(organization.groups) >= MOST_GROUPS:
        raise Refusal(409, f"An organization has at most {MOST_GROUPS} groups.")
    if any(group.shown["name"] == name for group in organization.groups.values()):
        raise Refusal(409, "A group with this name already exists.")
    id = desk.world.ids.uuid()
    shown = present(id=id, name=name, description=desk.call.get("description", ""))
    organization.groups[id] = Stored(id, shown, desk.now, desk.now)
    return shown


@answers("v2.groups.get")
def get_group(desk: Desk) -> object:
    return _group(desk).shown


@answers("v2.groups.delete")
def delete_group(desk: Desk) -> object:
    del desk.allowed_organization().groups[_group(desk).id]
    return Reply(204)


def _group(desk: Desk) -> Stored:
    group = desk.allowed_organization().groups.get(desk.call["group_id"])
    if group is None:
        raise Refusal(403, "Forbidden")
    return group
