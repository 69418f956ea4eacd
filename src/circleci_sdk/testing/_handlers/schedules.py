"""`v2.schedules`: schedules and the pipelines that they start."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from circleci_sdk.testing._store.records import FakeItem
from circleci_sdk.testing._wire.messages import ErrorResponse

from .context import RequestContext, handles, millis
from .runs_v2 import show_user

if TYPE_CHECKING:
    from circleci_sdk.testing._store.projects import FakeProject
    from circleci_sdk.testing._store.records import FakeUser, JsonObject
    from circleci_sdk.testing._store.store import Store

_DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_FARTHEST = 400
_SYSTEM = "d9b3fcaa-6032-405a-8c75-40079ce33c3e"


@handles("v2.schedules.list")
def list_(ctx: RequestContext) -> object:
    return ctx.page(list(ctx.project().schedules.values()), lambda schedule: schedule.shown)


@handles("v2.schedules.create")
def create(ctx: RequestContext) -> object:
    project = ctx.project()
    if project.slug.startswith("circleci/"):
        raise ErrorResponse(400, "Schedules are not supported for this kind of project.")
    call = ctx.call
    _check(call["timetable"], call["parameters"])
    shown: JsonObject = {
        "id": ctx.store.ids.uuid(),
        "name": call["name"],
        "description": call.get("description"),
        "project-slug": project.slug,
        "timetable": call["timetable"],
        "parameters": call["parameters"],
        "actor": _actor(ctx, call["attribution_actor"]),
        "created-at": millis(ctx.now),
        "updated-at": millis(ctx.now),
    }
    schedule = FakeItem(shown["id"], shown, ctx.now, ctx.now)
    project.schedules[schedule.id] = schedule
    _wait(ctx.store, project, schedule, ctx.user)
    return shown


@handles("v2.schedules.get")
def get(ctx: RequestContext) -> object:
    return ctx.stored("schedules", "schedule_id", "Schedule not found")[1].shown


@handles("v2.schedules.update")
def update(ctx: RequestContext) -> object:
    project, schedule = ctx.stored("schedules", "schedule_id", "Schedule not found")
    call, shown = ctx.call, dict(schedule.shown)
    timetable = {**shown["timetable"], **call.get("timetable", {})}
    for given, other in (("days-of-week", "days-of-month"), ("days-of-month", "days-of-week")):
        if given in call.get("timetable", {}):
            timetable.pop(other, None)
    shown["timetable"] = timetable
    for name in ("name", "description", "parameters"):
        if name in call.args:
            shown[name] = call[name]
    if "attribution_actor" in call.args:
        shown["actor"] = _actor(ctx, call["attribution_actor"])
    _check(shown["timetable"], shown["parameters"])
    shown["updated-at"] = millis(ctx.now)
    new = FakeItem(schedule.id, shown, schedule.created_at, ctx.now)
    project.schedules[schedule.id] = new
    _wait(ctx.store, project, new, ctx.user)
    return shown


@handles("v2.schedules.delete")
def delete(ctx: RequestContext) -> object:
    project, schedule = ctx.stored("schedules", "schedule_id", "Schedule not found")
    del project.schedules[schedule.id]
    return {"message": "Schedule deleted."}


def _actor(ctx: RequestContext, who: str) -> JsonObject:
    if who == "system":
        return {"id": _SYSTEM, "login": "system-actor", "name": "Scheduled", "avatar_url": None}
    return show_user(ctx.user)


def _check(timetable: JsonObject, parameters: JsonObject) -> None:
    if ("days-of-week" in timetable) == ("days-of-month" in timetable):
        raise ErrorResponse(400, "Give exactly one of 'timetable.days-of-week', 'timetable.days-of-month'.")
    if not all(0 <= hour <= 23 for hour in timetable["hours-of-day"]):
        raise ErrorResponse(400, "Field 'timetable.hours-of-day' is out of range.")
    if not all(1 <= day <= 31 for day in timetable.get("days-of-month", ())):
        raise ErrorResponse(400, "Field 'timetable.days-of-month' is out of range.")
    if ("branch" in parameters) == ("tag" in parameters):
        raise ErrorResponse(400, "Give exactly one of 'parameters.branch', 'parameters.tag'.")


def _wait(store: Store, project: FakeProject, schedule: FakeItem, actor: FakeUser) -> None:
    """Start pipelines at the times of a schedule until it is changed or removed."""
    due = next_time(schedule.shown["timetable"], store.clock.now)
    if due is None:
        return

    def fire() -> None:
        if project.schedules.get(schedule.id) is not schedule or project.id not in store.projects:
            return
        parameters = dict(schedule.shown["parameters"])
        branch, tag = parameters.pop("branch", None), parameters.pop("tag", None)
        plan = store.engine.next_plan(project, branch)
        if plan.skipped is None:
            store.engine.start(
                project,
                plan,
                actor=actor,
                trigger_type="scheduled_pipeline",
                branch=branch,
                tag=tag,
                parameters=parameters,
                at_once=True,
            )
        _wait(store, project, schedule, actor)

    store.clock.call_later((due - store.clock.now).total_seconds(), fire, recurring=True)


def next_time(timetable: JsonObject, after: datetime) -> datetime | None:
    """The time of the next pipeline of a timetable; None without one."""
    per_hour: int = timetable["per-hour"]
    minutes = [minute * 60 // per_hour for minute in range(per_hour)]
    day = after.replace(hour=0, minute=0, second=0, microsecond=0)
    for _ in range(_FARTHEST):
        if _is_on(timetable, day):
            for hour in sorted(set(timetable["hours-of-day"])):
                for minute in minutes:
                    moment = day.replace(hour=hour, minute=minute)
                    if moment > after:
                        return moment
        day += timedelta(days=1)
    return None


def _is_on(timetable: JsonObject, day: datetime) -> bool:
    if timetable.get("months") and _MONTHS[day.month - 1] not in timetable["months"]:
        return False
    if "days-of-month" in timetable:
        return day.day in timetable["days-of-month"]
    return _DAYS[day.weekday()] in timetable["days-of-week"]
