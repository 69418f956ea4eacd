"""A small fake API, for features that no operation of the real one shows clearly or at all.

The operations have the form of generated ones, so they use the same path through the core.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

from pydantic import SecretStr

from circleci_sdk import UNSET, AsyncCircleCI, AsyncPager, Operation, ProjectSlug, UnknownStr, Unset
from circleci_sdk._core.operation import (
    ANY,
    BOOLEAN,
    DATE_TIME,
    ID,
    INTEGER,
    NUMBER,
    ORG_SLUG,
    PROJECT_SLUG,
    SECRET,
    STRING,
    Api,
    Paging,
    Parameter,
    ResponseBody,
    Rule,
    choice,
    integer,
    many,
    mapping,
    model,
    nullable,
    one_of,
)
from circleci_sdk._core.resource import Resource
from circleci_sdk._core.serialization.model import Model, SecretText, Timestamp

API: Final = Api(name="v2", base="/api/v2", models=__name__)

Colour: TypeAlias = Literal["red", "blue"] | UnknownStr
Size: TypeAlias = Literal["small", "large"]


class Part(Model):
    name: str
    count: int = 1


class Thing(Model):
    id: str
    colour: Colour = "red"
    created_at: Timestamp | None = None
    parts: list[Part] | None = None
    labels: dict[str, str] | None = None
    password: SecretText | None = None


class Notice(Model):
    message: str


class Box(Model):
    """A nested request object with every type of field."""

    inner_size: Size | None = None
    colour: Colour | None = None
    parts: list[Part] | None = None
    labels: dict[str, str] | None = None
    ids: list[str] | None = None
    anything: Any = None


class Bag(Model):
    handles: int


_COLOUR: Final = choice("red", "blue")
_SIZE: Final = choice("small", "large", closed=True)

PART: Final = model("Part", Parameter("name", "name", STRING, required=True), Parameter("count", "count", INTEGER))
BOX: Final = model(
    "Box",
    Parameter("inner_size", "inner_size", nullable(_SIZE)),
    Parameter("colour", "colour", _COLOUR),
    Parameter("parts", "parts", many(PART)),
    Parameter("labels", "labels", mapping(STRING)),
    Parameter("ids", "ids", many(ID)),
    Parameter("anything", "anything", ANY),
)
BAG: Final = model("Bag", Parameter("handles", "handles", INTEGER, required=True))

LIST_BY_OFFSET: Final[Operation[Thing]] = Operation(
    api=API,
    id="listByOffset",
    python_name="things.list_by_offset",
    method="GET",
    path="/by-offset",
    query_parameters=(
        Parameter("page_size", "limit", integer(minimum=1, maximum=100)),
        Parameter("offset", "offset", INTEGER),
    ),
    response_body=ResponseBody(("Thing",)),
    paging=Paging("offset", start="offset", size="page_size", default_size=30, items=None),
    replayable=True,
    rate_group="v2.things",
)
LIST_BY_NUMBER: Final[Operation[Thing]] = Operation(
    api=API,
    id="listByNumber",
    python_name="things.list_by_number",
    method="GET",
    path="/by-number",
    query_parameters=(Parameter("page_size", "per-page", INTEGER), Parameter("page", "page", INTEGER)),
    response_body=ResponseBody(("Thing",)),
    paging=Paging("number", start="page", size="page_size", items=None),
    replayable=True,
    rate_group="v2.things",
)
GET: Final[Operation[Thing]] = Operation(
    api=API,
    id="getThing",
    python_name="things.get",
    method="GET",
    path="/thing/{id}",
    path_parameters=(Parameter("thing_id", "id", STRING, required=True),),
    response_body=ResponseBody(("Thing",)),
    replayable=True,
    rate_group="v2.things",
)
FIND: Final[Operation[Thing]] = Operation(
    api=API,
    id="findThing",
    python_name="things.find",
    method="GET",
    path="/{project-slug}/{owner}/{text}/{number}/{org-slug}",
    path_parameters=(
        Parameter("project_slug", "project-slug", PROJECT_SLUG, required=True),
        Parameter("owner", "owner", ID, required=True),
        Parameter("text", "text", STRING, required=True),
        Parameter("number", "number", INTEGER, required=True),
        Parameter("org_slug", "org-slug", ORG_SLUG, required=True),
    ),
    query_parameters=(
        Parameter("text_filter", "text-filter", STRING),
        Parameter("yes", "yes", BOOLEAN),
        Parameter("at", "at", DATE_TIME),
        Parameter("ratio", "ratio", NUMBER),
        Parameter("colour", "colour", _COLOUR),
        Parameter("size", "size", _SIZE),
        Parameter("names", "names", many(STRING)),
        Parameter("joined", "joined", many(STRING), exploded=False),
        Parameter("twice", "twice", STRING, also=("two-ce",)),
        Parameter("fixed", "fixed", STRING, default="always"),
    ),
    response_body=ResponseBody(("Thing",)),
    replayable=True,
    rate_group="v2.things",
)
CREATE: Final[Operation[Thing | Notice]] = Operation(
    api=API,
    id="createThing",
    python_name="things.create",
    method="POST",
    path="/thing",
    body=(
        Parameter("name", "name", nullable(STRING)),
        Parameter("secret", "the-secret", SECRET),
        Parameter("count", "count", INTEGER),
        Parameter("ratio", "ratio", NUMBER),
        Parameter("yes", "yes", BOOLEAN),
        Parameter("at", "at", DATE_TIME),
        Parameter("owner", "owner", ID),
        Parameter("colour", "colour", _COLOUR),
        Parameter("names", "names", many(STRING)),
        Parameter("secrets", "secrets", mapping(SECRET)),
        Parameter("parameters", "parameters", mapping()),
        Parameter("anything", "anything", ANY),
        Parameter("box", "box", BOX),
        Parameter("holder", "holder", one_of(BOX, BAG)),
        Parameter("twice", "twice", STRING, also=("two-ce",)),
    ),
    rules=(Rule("at_most_one", ("count", "ratio")), Rule("needs", ("yes", "count", "ratio"))),
    response_body=ResponseBody(("Thing", "Notice")),
    replayable=False,
    rate_group="v2.things",
)
DELETE: Final[Operation[Notice | None]] = Operation(
    api=API,
    id="deleteThing",
    python_name="things.delete",
    method="DELETE",
    path="/thing/{id}",
    path_parameters=(Parameter("thing_id", "id", STRING, required=True),),
    response_body=ResponseBody(("Notice",), may_be_empty=True),
    replayable=True,
    rate_group="v2.things",
)
TOUCH: Final[Operation[None]] = Operation(
    api=API,
    id="touchThing",
    python_name="things.touch",
    method="PUT",
    path="/thing/{id}",
    path_parameters=(Parameter("thing_id", "id", STRING, required=True),),
    replayable=True,
    rate_group="v2.things",
)
REVEAL: Final[Operation[Thing]] = Operation(
    api=API,
    id="revealThing",
    python_name="things.reveal",
    method="GET",
    path="/thing/{id}/password",
    path_parameters=(Parameter("thing_id", "id", STRING, required=True),),
    response_body=ResponseBody(("Thing",)),
    replayable=True,
    rate_group="v2.things",
    secret=True,
)


class Things(Resource):
    __slots__ = ()

    def list_by_offset(self, *, page_size: int | Unset = UNSET, offset: int | Unset = UNSET) -> AsyncPager[Thing]:
        return self._pages(LIST_BY_OFFSET, {"page_size": page_size, "offset": offset})

    def list_by_number(self, *, page_size: int | Unset = UNSET, page: int | Unset = UNSET) -> AsyncPager[Thing]:
        return self._pages(LIST_BY_NUMBER, {"page_size": page_size, "page": page})

    async def get(self, thing_id: str) -> Thing:
        return await self._call(GET, {"thing_id": thing_id})

    async def find(
        self,
        project_slug: str | ProjectSlug = "gh/acme/web",
        owner: str | UUID = "1",
        text: str = "t",
        number: int = 1,
        org_slug: str = "gh/acme",
        *,
        text_filter: str | Unset = UNSET,
        yes: bool | Unset = UNSET,
        at: datetime | Unset = UNSET,
        ratio: float | Unset = UNSET,
        colour: Colour | Unset = UNSET,
        size: Size | Unset = UNSET,
        names: Sequence[str] | Unset = UNSET,
        joined: Sequence[str] | Unset = UNSET,
        twice: str | Unset = UNSET,
    ) -> Thing:
        return await self._call(
            FIND,
            {
                "project_slug": project_slug,
                "owner": owner,
                "text": text,
                "number": number,
                "org_slug": org_slug,
                "text_filter": text_filter,
                "yes": yes,
                "at": at,
                "ratio": ratio,
                "colour": colour,
                "size": size,
                "names": names,
                "joined": joined,
                "twice": twice,
            },
        )

    async def create(
        self,
        *,
        name: str | None | Unset = UNSET,
        secret: str | SecretStr | Unset = UNSET,
        count: int | Unset = UNSET,
        ratio: float | Unset = UNSET,
        yes: bool | Unset = UNSET,
        at: datetime | Unset = UNSET,
        owner: str | UUID | Unset = UNSET,
        colour: Colour | Unset = UNSET,
        names: Sequence[str] | Unset = UNSET,
        secrets: Mapping[str, str | SecretStr] | Unset = UNSET,
        parameters: Mapping[str, Any] | Unset = UNSET,
        anything: Any = UNSET,
        box: Box | Mapping[str, Any] | Unset = UNSET,
        holder: Box | Bag | Mapping[str, Any] | Unset = UNSET,
        twice: str | Unset = UNSET,
    ) -> Thing | Notice:
        return await self._call(
            CREATE,
            {
                "name": name,
                "secret": secret,
                "count": count,
                "ratio": ratio,
                "yes": yes,
                "at": at,
                "owner": owner,
                "colour": colour,
                "names": names,
                "secrets": secrets,
                "parameters": parameters,
                "anything": anything,
                "box": box,
                "holder": holder,
                "twice": twice,
            },
        )

    async def delete(self, thing_id: str) -> Notice | None:
        return await self._call(DELETE, {"thing_id": thing_id})

    async def touch(self, thing_id: str) -> None:
        return await self._call(TOUCH, {"thing_id": thing_id})

    async def reveal(self, thing_id: str) -> Thing:
        return await self._call(REVEAL, {"thing_id": thing_id})

    async def nothing_sent(self) -> int:
        """Makes no call."""
        return 1

    async def two_calls(self) -> Thing:
        """Makes several calls."""
        await self.get("a")
        return Thing(id="made up")


def things(client: AsyncCircleCI) -> Things:
    """The operations of the fake API on a client."""
    return Things(client._caller)
