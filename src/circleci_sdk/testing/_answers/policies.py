"""`v2.policies`: bundles, the switch, and decisions as the test said they should fall."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from circleci_sdk.testing._wire.judge import read_time
from circleci_sdk.testing._wire.messages import Refusal, Reply

from .desk import Desk, answers, millis

if TYPE_CHECKING:
    from circleci_sdk.testing._state.things import JsonObject, Policies

MOST_BYTES = 2_621_440


def _policies(desk: Desk) -> Policies:
    if desk.call["policy_context"] != "config":
        raise Refusal(400, f"Unknown context '{desk.call['policy_context']}'.")
    return desk.allowed_organization().policies


@answers("v2.policies.get_bundle")
def get_bundle(desk: Desk) -> object:
    policies = _policies(desk)
    return {name: _show(desk, policies, name) for name in sorted(policies.bundle)}


@answers("v2.policies.set_bundle")
def set_bundle(desk: Desk) -> object:
    policies = _policies(desk)
    new: dict[str, str] = desk.call["policies"]
    if sum(map(len, new.values())) > MOST_BYTES:
        raise Refusal(413, "The policy bundle is too large.")
    old = policies.bundle
    difference = {
        "created": sorted(new.keys() - old.keys()),
        "deleted": sorted(old.keys() - new.keys()),
        "modified": sorted(name for name in new.keys() & old.keys() if new[name] != old[name]),
    }
    if desk.call.get("dry"):
        return Reply(200, difference)
    policies.bundle = dict(new)
    for name in (*difference["created"], *difference["modified"]):
        policies.created_at[name] = desk.now
    return Reply(201, difference)


@answers("v2.policies.get")
def get(desk: Desk) -> object:
    policies, name = _policies(desk), desk.call["policy_name"]
    if name not in policies.bundle:
        raise Refusal(404, "policy not found")
    return _show(desk, policies, name)


def _show(desk: Desk, policies: Policies, name: str) -> JsonObject:
    return {
        "name": name,
        "content": policies.bundle[name],
        "created_at": millis(policies.created_at[name]),
        "created_by": desk.world.user.id,
    }


@answers("v2.policies.make_decision")
def make_decision(desk: Desk) -> object:
    policies = _policies(desk)
    metadata: dict[str, Any] = desk.call.get("metadata", {})
    status, rule, reason = policies.verdict if policies.bundle else ("PASS", "", "")
    failure = [{"rule": rule, "reason": reason}]
    decision: JsonObject = {"status": status, "enabled_rules": [rule] if rule else []}
    if status == "HARD_FAIL":
        decision["hard_failures"] = failure
    elif status == "SOFT_FAIL":
        decision["soft_failures"] = failure
    elif status == "ERROR":
        decision["reason"] = reason
    known = ("build_number", "project_id", "ssh_rerun", "vcs")
    policies.decisions.append(
        {
            "id": desk.world.ids.uuid(),
            "created_at": millis(desk.now),
            "decision": decision,
            "metadata": {name: metadata[name] for name in known if name in metadata},
            "policies": dict.fromkeys(policies.bundle, "sha"),
            "time_taken_ms": 4,
            "_bundle": dict(policies.bundle),
        }
    )
    return decision


@answers("v2.policies.list_decisions")
def list_decisions(desk: Desk) -> object:
    found = [each for each in reversed(_policies(desk).decisions) if _wanted(desk, each)]
    start: int = max(0, desk.call.get("offset", 0))
    return [_show_log(each) for each in found[start : start + desk.call.page_size]]


def _wanted(desk: Desk, log: JsonObject) -> bool:
    call, metadata = desk.call, log["metadata"]
    made = read_time(log["created_at"])
    after, before = read_time(call.get("after", "")), read_time(call.get("before", ""))
    assert made is not None
    checks = (
        call.get("status") in (None, log["decision"]["status"]),
        after is None or made > after,
        before is None or made < before,
        call.get("branch") in (None, metadata.get("vcs", {}).get("branch")),
        call.get("project_id") in (None, metadata.get("project_id")),
        call.get("build_number") in (None, str(metadata.get("build_number"))),
    )
    return all(checks)


def _show_log(log: JsonObject) -> JsonObject:
    return {name: value for name, value in log.items() if not name.startswith("_")}


@answers("v2.policies.get_decision")
def get_decision(desk: Desk) -> object:
    return _show_log(_decision(desk))


@answers("v2.policies.get_decision_bundle")
def get_decision_bundle(desk: Desk) -> object:
    log = _decision(desk)
    return {
        name: {"name": name, "content": content, "created_at": log["created_at"], "created_by": desk.world.user.id}
        for name, content in log["_bundle"].items()
    }


def _decision(desk: Desk) -> JsonObject:
    for log in _policies(desk).decisions:
        if log["id"] == desk.call["decision_id"]:
            return log
    raise Refusal(404, "decision not found")


@answers("v2.policies.get_settings")
def get_settings(desk: Desk) -> object:
    return {"enabled": _policies(desk).enabled}


@answers("v2.policies.update_settings")
def update_settings(desk: Desk) -> object:
    policies = _policies(desk)
    policies.enabled = desk.call["enabled"]
    return {"enabled": policies.enabled}
