"""`FakeCircleCI`: the state, its clock, its faults, and the two doors to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, Self

from ._clock import START, FakeClock
from ._protocol.app import App
from ._protocol.faults import Drop, Fault, labels_of
from ._protocol.limits import Family, Limit
from ._servers.deliveries import Webhooks
from ._store.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import httpx
    from starlette.routing import Router

    from circleci_sdk.client import AsyncCircleCI

    from ._protocol.recording import Recorded
    from ._servers.server import ServedFake
    from ._store.entities import FakeContext, FakeOrganization, FakeUser
    from ._store.projects import FakeProject
    from ._store.runs import FakeJob, FakeWorkflow

Chaos = Literal["drop", "truncate", "delay", "429", "500", "502", "503", "504"]


class FakeCircleCI:
    """A CircleCI on your ctx: it keeps state, runs jobs on a clock that you move, and fails when you ask it to.

        fake = FakeCircleCI()
        web = fake.add_project("gh/acme/web")
        web.will_run(Workflow("build", Job("test", 60, outcome="failed", output="1 failed")))
        async with fake.client() as circleci:
            await circleci.v2.pipelines.trigger("gh/acme/web", branch="main")
            fake.clock.advance(120)
            ...

    Args:
        token: the token that its one user, `fake.user`, calls with; others get 401.
        seed: ids, revisions and chaos follow from it; the same seed and calls give the same responses.
        start: where its clock starts.
        speed: how fast its clock runs by itself: 0 stands still until it is advanced, 1 is real time.
        page_size: items per page of v2 where the caller cannot choose; CircleCI has about 20.

    One object serves any number of clients, in process and over ports, from any number of threads.
    """

    def __init__(
        self,
        *,
        token: str = "fake-token",
        seed: int = 0,
        start: datetime = START,
        speed: float = 0.0,
        page_size: int = 20,
    ) -> None:
        self.clock: Final = FakeClock(start, speed=speed)
        self._world: Final = Store(self.clock, seed=seed, token=token, ended=self._ended)
        self._app: Final = App(self._world, seed)
        self.webhooks: Final = Webhooks(self._world)
        self.token: Final = token
        self.page_size = page_size

    def __repr__(self) -> str:
        return f"<FakeCircleCI with {len(self._world.projects)} projects, {self.clock.now:%Y-%m-%d %H:%M:%S}>"

    @classmethod
    def scenario(cls, name: str, *, token: str = "fake-token", seed: int = 0, speed: float = 0.0) -> Self:
        """A fake with a ready-made state: `"demo"`, `"approval"`, `"failing"` or `"empty"`.

        Raises `ValueError` for another name. The arguments are those of the class; a clock with a `speed` starts to
        run when the state is made.
        """
        from ._scenarios import SCENARIOS

        if name not in SCENARIOS:
            raise ValueError(f"There is no scenario {name!r}; there are {', '.join(sorted(SCENARIOS))}.")
        fake = cls(token=token, seed=seed)
        SCENARIOS[name](fake)
        fake.clock.run(speed)
        return fake

    # ---- what there is ----

    @property
    def user(self) -> FakeUser:
        """The user whose token is `token`."""
        return self._world.user

    @property
    def requests(self) -> Recorded:
        """Every request that came, oldest first, with decoded arguments."""
        return self._app.requests

    @property
    def page_size(self) -> int:
        """Items per page of v2 where the caller cannot choose."""
        return self._world.page_size

    @page_size.setter
    def page_size(self, size: int) -> None:
        if size < 1:
            raise ValueError("A page holds at least one item.")
        self._world.page_size = size

    @property
    def usage_export_files(self) -> int:
        """How many files a usage export is cut into."""
        return self._world.usage_export_files

    @usage_export_files.setter
    def usage_export_files(self, count: int) -> None:
        if count < 0:
            raise ValueError("A usage export has no fewer than no files.")
        self._world.usage_export_files = count

    @property
    def usage_export_fails(self) -> bool:
        """Whether usage exports end as failed."""
        return self._world.usage_export_fails

    @usage_export_fails.setter
    def usage_export_fails(self, fails: bool) -> None:
        self._world.usage_export_fails = fails

    def add_project(self, slug: str, *, default_branch: str = "main", hidden: bool = False) -> FakeProject:
        """A new project, and its organization if that is not there yet.

        A `hidden` project is there but not for the token: it returns 404 like a missing one. Raises `ValueError`
        for a slug of another form than `gh/acme/web`, and when the project is there already.
        """
        with self.clock.lock:
            return self._world.add_project(slug, default_branch=default_branch, hidden=hidden)

    def add_organization(self, slug: str, *, name: str | None = None, hidden: bool = False) -> FakeOrganization:
        """A new organization such as `gh/acme`; `hidden` as of a project. Raises `ValueError` for another form."""
        with self.clock.lock:
            return self._world.add_organization(slug, name=name, hidden=hidden)

    def add_context(self, name: str, *, organization: str, env_vars: Mapping[str, str] | None = None) -> FakeContext:
        """A new context in the organization of that slug or id, with its variables.

        Raises `LookupError` when there is no such organization.
        """
        with self.clock.lock:
            return self._world.add_context(self.organization(organization), name, env_vars or {})

    def add_user(self, login: str, name: str | None = None, *, token: str | None = None) -> FakeUser:
        """Another user; with a token, one who can call."""
        with self.clock.lock:
            return self._world.add_user(login, name, token=token)

    def project(self, slug: str) -> FakeProject:
        """The project of that slug or id. Raises `LookupError` when there is none."""
        if (found := self._world.project(slug)) is None:
            raise LookupError(f"The fake has no project {slug!r}; add it with add_project.")
        return found

    def organization(self, slug: str) -> FakeOrganization:
        """The organization of that slug or id. Raises `LookupError` when there is none."""
        if (found := self._world.organization(slug)) is None:
            raise LookupError(f"The fake has no organization {slug!r}.")
        return found

    def context(self, name: str) -> FakeContext:
        """The context of that name, in whatever organization. Raises `LookupError` when there is none."""
        for organization in self._world.organizations.values():
            for context in organization.contexts.values():
                if context.name == name:
                    return context
        raise LookupError(f"The fake has no context {name!r}.")

    # ---- what goes wrong ----

    def fail_next(
        self,
        operation: str = "*",
        *,
        status: int | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        drop: Drop | None = None,
        delay: float = 0.0,
        truncate: bool = False,
        expired: bool = False,
        carried_out: bool = False,
        times: int = 1,
    ) -> None:
        """Make the next calls of an operation fail.

        Args:
            operation: its name: `"v2.jobs.get"`, `"jobs.get"` (both versions, if both have it) or its operation id;
                `"v2.jobs"` for all that share its rate limit;
                `"artifact"`, `"output"` or `"usage"` for what is fetched by link; `"*"` for whatever comes next.
            status: the status to respond. `body` and `headers` go with it; without a body it is one that CircleCI
                or a gateway would send with that status.
            drop: end the connection without a response, `"before"` or `"after"` the call was carried out.
            delay: real seconds before the response begins.
            truncate: end the connection in the middle of the body.
            expired: the link has expired, as signed links do.
            carried_out: with `status`, let the call do its work first.
            times: how many calls it is for.

        Several of these add up. Raises `ValueError` for an unknown name, or when nothing is asked for.
        """
        if status is None and drop is None and not delay and not truncate and not expired:
            raise ValueError("Say how it fails: status=, drop=, delay=, truncate= or expired=.")
        if times < 1:
            raise ValueError("times= is at least 1.")
        fault = Fault(
            labels_of(operation),
            times,
            status=status,
            body=body,
            headers=dict(headers or {}),
            drop=drop,
            delay=delay,
            truncate=truncate,
            expired=expired,
            carried_out=carried_out,
        )
        with self.clock.lock:
            self._app.faults.append(fault)

    def limit_rate(
        self,
        operation: str = "*",
        *,
        requests: int,
        window: float = 60.0,
        headers: Family = "RateLimit",
        retry_after: bool = True,
    ) -> None:
        """Allow so many requests per window; further ones get 429 with a plain-text body.

        The window opens with the first request and lasts `window` seconds on the clock of the fake. All responses
        carry the headers of the window, of the family asked for; a refusal carries `Retry-After` too, unless told
        otherwise. Names of operations are those of `fail_next`; each call adds a limit.
        """
        if requests < 0 or window <= 0:
            raise ValueError("A limit needs a window, and cannot allow less than nothing.")
        with self.clock.lock:
            self._app.limits.append(Limit(labels_of(operation), requests, window, headers, retry_after))

    def chaos(self, probabilities: Mapping[Chaos, float] | None = None) -> None:
        """From now on calls fail by chance, each way with its probability from 0 to 1; without any, none does.

        `fake.chaos({"503": 0.1, "drop": 0.05, "429": 0.05})`. The dice follow from the seed of the fake. A call that
        fails may have been carried out or not, except behind a 429.
        """
        chosen: dict[str, float] = {str(kind): each for kind, each in (probabilities or {}).items()}
        if any(not 0 <= each <= 1 for each in chosen.values()):
            raise ValueError("A probability lies between 0 and 1.")
        with self.clock.lock:
            self._app.chaos = chosen

    def reset_faults(self) -> None:
        """Take back all faults, limits and chaos."""
        with self.clock.lock:
            self._app.faults.clear()
            self._app.limits.clear()
            self._app.chaos = {}

    # ---- the doors ----

    def client(self, *, wait: Literal["fake", "real"] = "fake", **options: Any) -> AsyncCircleCI:
        """A client whose calls come here without a socket, on asyncio and on trio. Close it like any other.

        Its waits (retries, rate limits, polling) move the clock of the fake instead of taking time; with
        `wait="real"` they take time. `options` are those of `AsyncCircleCI`.
        """
        from ._servers.clients import client_of

        return client_of(self._app, self.clock, self.token, wait=wait, options=options)

    def transport(self) -> httpx.AsyncBaseTransport:
        """An httpx transport to the fake, for clients of your own making. Any host leads here."""
        from ._servers.transport import FakeTransport

        return FakeTransport(self._app)

    def serve(self, *, host: str = "127.0.0.1", port: int = 0) -> ServedFake:
        """The fake on a port, for any program; a free port if none is given. Use it with `with` or `async with`.

        Works from asyncio, trio and code without either. Raises `MissingExtraError` without the `testing` extra.
        """
        from ._servers.server import ServedFake

        return ServedFake(self._app, self.webhooks, host, port)

    @property
    def app(self) -> Router:
        """The fake as an ASGI application, for servers of your own, alone or mounted into another one.

        Raises `MissingExtraError` without the `testing` extra.
        """
        from ._servers.server import MISSING, MissingExtraError

        try:
            from ._servers.asgi import asgi_app
        except ImportError as error:
            raise MissingExtraError(MISSING) from error
        return asgi_app(self._app)

    def _ended(self, what: FakeJob | FakeWorkflow) -> None:
        self.webhooks.ended(what)
