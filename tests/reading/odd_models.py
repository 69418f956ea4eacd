"""Operations of a made-up API whose models have every structure of a field, and more than those of CircleCI."""

from __future__ import annotations

from typing import Any, Final, Literal, TypeAlias

from circleci_sdk import AsyncPager, Operation, UnknownStr
from circleci_sdk._core.operation import STRING, Api, Paging, Parameter, ResponseBody
from circleci_sdk._core.resource import Resource
from circleci_sdk._core.serialization.model import Model, Timestamp

API: Final = Api(name="v2", base="/api/v2", models=__name__)

Colour: TypeAlias = Literal["red", "blue"] | UnknownStr


class Leaf(Model):
    name: str
    at: Timestamp | None = None


class Branch(Model):
    leaf: Leaf
    leaves: list[Leaf] | None = None


class Tree(Model):
    id: str
    kind: str
    count: int | None = None
    ratio: float | None = None
    is_green: bool | None = None
    colour: Colour | None = None
    season: Literal["spring", "autumn"] | None = None
    planted_at: Timestamp | None = None
    felled_at: Timestamp | Literal[""] | None = None
    dates: list[Timestamp] | None = None
    dates_by_name: dict[str, Timestamp] | None = None
    rows: list[list[int]] | None = None
    names: list[str] | None = None
    branch: Branch | None = None
    branches: list[Branch] | None = None
    branches_by_name: dict[str, Branch] | None = None
    leaves_by_name: dict[str, list[Leaf]] | None = None
    leaf_or_name: Leaf | str | None = None
    leaf_or_branch: Leaf | Branch | None = None
    parts: list[Leaf | Branch] | None = None
    id_or_count: int | str | None = None
    count_or_id: str | int | None = None
    anything: Any = None


GET_TREE: Final[Operation[Tree]] = Operation(
    api=API,
    id="getTree",
    python_name="trees.get",
    method="GET",
    path="/tree",
    response_body=ResponseBody(("Tree",)),
    replayable=True,
    rate_group="v2.trees",
)
LIST_LEAVES: Final[Operation[Leaf]] = Operation(
    api=API,
    id="listLeaves",
    python_name="leaves.list",
    method="GET",
    path="/leaves",
    query_parameters=(Parameter("page_token", "page-token", STRING),),
    response_body=ResponseBody(("Leaf",)),
    paging=Paging("token", start="page_token"),
    replayable=True,
    rate_group="v2.leaves",
)


class Trees(Resource):
    __slots__ = ()

    async def get(self) -> Tree:
        return await self._call(GET_TREE, {})

    def leaves(self) -> AsyncPager[Leaf]:
        return self._pages(LIST_LEAVES, {})
