"""`FakeCircleCI`: the public face of the store, the protocol and the servers."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final, Self

from circleci_sdk._core.checks import BOOL, STR, at_least, check, instance, or_none
from circleci_sdk._core.errors import InvalidArgumentError
from circleci_sdk._core.serialization.slugs import ProjectSlug
from circleci_sdk._public import public

from ._client_methods import ClientMethods
from ._demo import add_webhook_and_schedule
from ._protocol.app import App
from ._servers.webhooks import Webhooks
from ._store.arguments import ID, INT, MOMENT, NUMBER, PROJECT, mapping_of
from ._store.clock import START, FakeClock
from ._store.scenarios import SCENARIOS, SECONDS
from ._store.store import API_DATE, Store

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from starlette.routing import Router

    from ._protocol.recording import RecordedRequests
    from ._servers.server import ServedFake
    from ._store.entities import FakeContext, FakeOrganization
    from ._store.projects import FakeProject
    from ._store.records import FakeUser


@public("circleci_sdk.testing")
class FakeCircleCI(ClientMethods):
    """An in-memory fake server of the CircleCI API, with state, a controllable clock and injected faults.

        fake = FakeCircleCI()
        web = fake.add_project("gh/acme/web")
        web.will_run(Workflow("build", Job("test", 60, outcome="failed", output="1 failed")))
        async with fake.client() as circleci:
            await circleci.v2.pipelines.trigger("gh/acme/web", branch="main")
            fake.clock.advance(120)
            ...

    Args:
        token: the token of its user, `fake.user`. Other tokens get 401.
        seed: seed of the RNG for ids, revisions and chaos. The same seed and calls give the same responses.
        start: start time of its clock.
        speed: speed of its clock: 0 is stopped, 1 is real time.
        page_size: items per page of v2 for operations without a page size, and of v3 for requests without one.
            CircleCI has about 20.
        api_date: the day whose API is served, independent of all clocks. Announced changes apply from their day on:

            * 2026-12-07: `v1.projects.list` and `v1.projects.get_settings` have no `branches`, nor have `enable` and
              `disable`, which return the same settings. Before it `shallow` and `skip_branches` decide: true leaves
              `branches` out. On the day of the brownout, 2026-12-01, only false shows them.
            * 2027-02-01: the v1.1 operations that trigger and retry builds, those with a `sunset`, return 410. Before
              it their responses have the headers `Deprecation` and `Sunset`.

            Default: the day of the release of this version, so that no later change applies.
        server: a CircleCI Server, which has v1.1, v2 and the older routes of runners. Default: the cloud, with v3.

    One fake serves any number of clients, in process and on ports, in any number of threads.

    Methods accept projects and organizations by slug or id.
    """

    def __init__(
        self,
        *,
        token: str = "fake-token",
        seed: int = 0,
        start: datetime = START,
        speed: float = 0.0,
        page_size: int = 20,
        api_date: date = API_DATE,
        server: bool = False,
    ) -> None:
        check("FakeCircleCI", token=(token, STR), seed=(seed, INT), start=(start, MOMENT), speed=(speed, NUMBER))
        check("FakeCircleCI", server=(server, BOOL))
        clock = FakeClock(start, speed=speed)
        self._store: Final = Store(clock, seed=seed, token=token)
        super().__init__(clock, App(self._store, seed, server=server), token)
        self.webhooks: Final[Webhooks] = Webhooks(self._store, self._app.misbehaviours)
        self.page_size = page_size
        self.api_date = api_date

    def __repr__(self) -> str:
        return f"<FakeCircleCI with {len(self._store.projects)} projects, {self.clock.now:%Y-%m-%d %H:%M:%S}>"

    @classmethod
    def scenario(
        cls,
        name: str,
        *,
        token: str = "fake-token",
        seed: int = 0,
        start: datetime | None = None,
        speed: float = 0.0,
        api_date: date = API_DATE,
        server: bool = False,
    ) -> Self:
        """A fake with a predefined state: `"demo"`, `"approval"`, `"failing"` or `"empty"`.

        `start` is the time of its clock after the state is created, at the end of its history; None is a fixed time,
        so that the state is always the same. `datetime.now(UTC)` gives a demo with usage and insights of the last two
        weeks. The other arguments are those of the class; a clock with a `speed` runs from then on.

        The webhook of the demo sends to a bot at `http://127.0.0.1:8000/circleci`, signed with `demo-secret`.

        Raises `ValueError` for another name and for a `start` without a time zone.
        """
        check("FakeCircleCI.scenario", name=(name, STR), start=(start, or_none(MOMENT)), speed=(speed, NUMBER))
        if name not in SCENARIOS:
            raise ValueError(
                f"FakeCircleCI.scenario: name: expected one of {', '.join(sorted(SCENARIOS))}, got {name!r}."
            )
        begin = START if start is None else start - timedelta(seconds=SECONDS[name])
        fake = cls(token=token, seed=seed, start=begin, api_date=api_date, server=server)
        SCENARIOS[name](fake._store)
        if name == "demo":
            add_webhook_and_schedule(fake._app)
        fake.clock.run(speed)
        return fake

    # ---- state ----

    @property
    def user(self) -> FakeUser:
        """The user of `token`."""
        return self._store.user

    @property
    def requests(self) -> RecordedRequests:
        """The received requests, oldest first, with decoded arguments: the last 100,000 of them at most."""
        return self._app.requests

    @property
    def page_size(self) -> int:
        """Items per page of v2 for operations without a page size, and of v3 for requests without one."""
        return self._store.page_size

    @page_size.setter
    def page_size(self, size: int) -> None:
        check("FakeCircleCI", page_size=(size, INT))
        if size < 1:
            raise ValueError(f"FakeCircleCI.page_size: expected at least 1, got {size!r}.")
        self._store.page_size = size

    @property
    def api_date(self) -> date:
        """The day whose API is served. A test may change it at any time."""
        return self._store.api_date

    @api_date.setter
    def api_date(self, day: date) -> None:
        # At run time anything may come, though the type allows nothing else.
        if isinstance(day, datetime) or not isinstance(day, date):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise InvalidArgumentError(f"FakeCircleCI.api_date: expected date, got {type(day).__name__}.")
        self._store.api_date = day

    @property
    def usage_export_files(self) -> int:
        """Number of files of a usage export."""
        return self._store.usage_export_files

    @usage_export_files.setter
    def usage_export_files(self, count: int) -> None:
        check("FakeCircleCI", usage_export_files=(count, INT))
        if count < 0:
            raise ValueError(f"FakeCircleCI.usage_export_files: expected at least 0, got {count!r}.")
        self._store.usage_export_files = count

    @property
    def usage_export_fails(self) -> bool:
        """Whether usage exports fail."""
        return self._store.usage_export_fails

    @usage_export_fails.setter
    def usage_export_fails(self, fails: bool) -> None:
        check("FakeCircleCI", usage_export_fails=(fails, BOOL))
        self._store.usage_export_fails = fails

    def add_project(
        self, slug: str | ProjectSlug, *, default_branch: str = "main", hidden: bool = False
    ) -> FakeProject:
        """Add a project, and its organization if it is missing.

        The token has no access to a `hidden` project: requests for it get 404, as for a missing one. Raises
        `ValueError` for a slug of another form than `gh/acme/web`, and for an existing project.
        """
        check("add_project", slug=(slug, instance("str or ProjectSlug", str, ProjectSlug)), hidden=(hidden, BOOL))
        check("add_project", default_branch=(default_branch, STR))
        with self.clock.lock:
            return self._store.add_project(str(slug), default_branch=default_branch, hidden=hidden)

    def add_organization(self, slug: str, *, name: str | None = None, hidden: bool = False) -> FakeOrganization:
        """Add an organization such as `gh/acme`; `hidden` as for a project. Raises `ValueError` for another form."""
        check("add_organization", slug=(slug, STR), name=(name, or_none(STR)), hidden=(hidden, BOOL))
        with self.clock.lock:
            return self._store.add_organization(slug, name=name, hidden=hidden)

    def add_context(
        self, name: str, *, organization: str | UUID, env_vars: Mapping[str, str] | None = None
    ) -> FakeContext:
        """Add a context to the organization of that slug or id. Raises `LookupError` for an unknown organization."""
        check("add_context", name=(name, STR), organization=(organization, ID))
        check("add_context", env_vars=(env_vars, or_none(mapping_of(STR))))
        with self.clock.lock:
            return self._store.add_context(self.organization(organization), name, env_vars or {})

    def add_user(self, login: str, name: str | None = None, *, token: str | None = None) -> FakeUser:
        """Add a user. With a token the user can make requests."""
        check("add_user", login=(login, STR), name=(name, or_none(STR)), token=(token, or_none(STR)))
        with self.clock.lock:
            return self._store.add_user(login, name, token=token)

    def project(self, slug: str | ProjectSlug | UUID) -> FakeProject:
        """The project of that slug or id. Raises `LookupError` for an unknown one."""
        check("FakeCircleCI.project", slug=(slug, PROJECT))
        if (found := self._store.project(str(slug))) is None:
            raise LookupError(f"FakeCircleCI.project: no project {str(slug)!r}; add it with add_project.")
        return found

    def organization(self, slug: str | UUID) -> FakeOrganization:
        """The organization of that slug or id. Raises `LookupError` for an unknown one."""
        check("FakeCircleCI.organization", slug=(slug, ID))
        if (found := self._store.organization(str(slug))) is None:
            raise LookupError(
                f"FakeCircleCI.organization: no organization {str(slug)!r}; add it with add_organization."
            )
        return found

    def context(self, name: str) -> FakeContext:
        """The context of that name, in any organization. Raises `LookupError` for an unknown one."""
        check("FakeCircleCI.context", name=(name, STR))
        for organization in self._store.organizations.values():
            for context in organization.contexts.values():
                if context.name == name:
                    return context
        raise LookupError(f"FakeCircleCI.context: no context {name!r}; add it with add_context.")

    # ---- servers ----

    def serve(self, *, host: str = "127.0.0.1", port: int = 0) -> ServedFake:
        """Serve the fake on a port, for any program; 0 selects a free one. Use it with `with` or `async with`.

        Works on asyncio, on trio and without an event loop. Raises `MissingExtraError` without the `testing` extra.
        """
        check("FakeCircleCI.serve", host=(host, STR), port=(port, at_least(0, 65_535)))
        from ._servers.server import ServedFake

        return ServedFake(self._app, self.webhooks, host, port)

    @property
    def app(self) -> Router:
        """The fake as an ASGI application, for your own server or mounted into another application.

        Raises `MissingExtraError` without the `testing` extra.
        """
        from ._servers.server import MISSING, MissingExtraError

        try:
            from ._servers.asgi import asgi_app
        except ImportError as error:
            raise MissingExtraError(MISSING) from error
        return asgi_app(self._app)
