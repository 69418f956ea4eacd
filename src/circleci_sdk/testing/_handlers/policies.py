"""`v2.policies`: bundles, the switch, and decisions with a result that the test sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from circleci_sdk.testing._wire.formats import read_time
from circleci_sdk.testing._wire.messages import ErrorResponse, Response

from .context import RequestContext, handles, millis

if TYPE_CHECKING:
    from circleci_sdk.testing._store.records import FakePolicies, JsonObject

MOST_BYTES = 2_621_440


def _policies(ctx: RequestContext) -> FakePolicies:
    if ctx.call["policy_context"] != "config":
        raise ErrorResponse(400, f"Unknown context '{ctx.call['policy_context']}'.")
    return ctx.allowed_organization().policies


@handles("v2.policies.get_bundle")
def get_bundle(ctx: RequestContext) -> object:
    policies = _policies(ctx)
    return {name: _show(ctx, policies, name) for name in sorted(policies.bundle)}


@handles("v2.policies.set_bundle")
def set_bundle(ctx: RequestContext) -> object:
    policies = _policies(ctx)
    new: dict[str, str] = ctx.call["policies"]
    if sum(map(len, new.values())) > MOST_BYTES:
        raise ErrorResponse(413, "The policy bundle is too large.")
    old = policies.bundle
    difference = {
        "created": sorted(new.keys() - old.keys()),
        "deleted": sorted(old.keys() - new.keys()),
        "modified": sorted(name for name in new.keys() & old.keys() if new[name] != old[name]),
    }
    if ctx.call.get("dry"):
        return Response(200, difference)
    policies.bundle = dict(new)
    for name in (*difference["created"], *difference["modified"]):
        policies.created_at[name] = ctx.now
    return Response(201, difference)


@handles("v2.policies.get")
def get(ctx: RequestContext) -> object:
    policies, name = _policies(ctx), ctx.call["policy_name"]
    if name not in policies.bundle:
        raise ErrorResponse(404, "policy not found")
    return _show(ctx, policies, name)


def _show(ctx: RequestContext, policies: FakePolicies, name: str) -> JsonObject:
    return {
        "name": name,
        "content": policies.bundle[name],
        "created_at": millis(policies.created_at[name]),
        "created_by": ctx.store.user.id,
    }


@handles("v2.policies.make_decision")
def make_decision(ctx: RequestContext) -> object:
    policies = _policies(ctx)
    metadata: dict[str, Any] = ctx.call.get("metadata", {})
    status, rule, reason = policies.decision if policies.bundle else ("PASS", "", "")
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
            "id": ctx.store.ids.uuid(),
            "created_at": millis(ctx.now),
            "decision": decision,
            "metadata": {name: metadata[name] for name in known if name in metadata},
            "policies": dict.fromkeys(policies.bundle, "sha"),
            "time_taken_ms": 4,
            "_bundle": dict(policies.bundle),
        }
    )
    return decision


@handles("v2.policies.list_decisions")
def list_decisions(ctx: RequestContext) -> object:
    found = [each for each in reversed(_policies(ctx).decisions) if _wanted(ctx, each)]
    start: int = max(0, ctx.call.get("offset", 0))
    return [_show_log(each) for each in found[start : start + ctx.call.page_size]]


def _wanted(ctx: RequestContext, log: JsonObject) -> bool:
    call, metadata = ctx.call, log["metadata"]
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


@handles("v2.policies.get_decision")
def get_decision(ctx: RequestContext) -> object:
    return _show_log(_decision(ctx))


@handles("v2.policies.get_decision_bundle")
def get_decision_bundle(ctx: RequestContext) -> object:
    log = _decision(ctx)
    return {
        name: {"name": name, "content": content, "created_at": log["created_at"], "created_by": ctx.store.user.id}
        for name, content in log["_bundle"].items()
    }


def _decision(ctx: RequestContext) -> JsonObject:
    for log in _policies(ctx).decisions:
        if log["id"] == ctx.call["decision_id"]:
            return log
    raise ErrorResponse(404, "decision not found")


@handles("v2.policies.get_settings")
def get_settings(ctx: RequestContext) -> object:
    return {"enabled": _policies(ctx).enabled}


@handles("v2.policies.update_settings")
def update_settings(ctx: RequestContext) -> object:
    policies = _policies(ctx)
    policies.enabled = ctx.call["enabled"]
    return {"enabled": policies.enabled}
