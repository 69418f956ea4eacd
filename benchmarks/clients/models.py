"""The page as models on any pydantic base, for clients without CircleCI models."""

from __future__ import annotations

from datetime import datetime
from types import GenericAlias
from typing import Any, Literal

import pydantic

# Typed Any: its signature does not cover types created at run time.
create_model: Any = pydantic.create_model


def page_model(base: Any) -> Any:
    """A page of pipelines with dates, literals and no aliases."""
    commit = create_model("Commit", __base__=base, subject=(str | None, None), body=(str | None, None))
    vcs = create_model(
        "Vcs",
        __base__=base,
        provider_name=str,
        origin_repository_url=str,
        target_repository_url=str,
        revision=str,
        branch=(str | None, None),
        review_id=(str | None, None),
        review_url=(str | None, None),
        tag=(str | None, None),
        commit=(commit | None, None),
    )
    actor = create_model("Actor", __base__=base, login=str, avatar_url=(str | None, None))
    trigger = create_model("Trigger", __base__=base, type=str, received_at=datetime, actor=actor)
    pipeline = create_model(
        "Pipeline",
        __base__=base,
        id=str,
        errors=list[dict[str, Any]],
        project_slug=str,
        updated_at=(datetime | None, None),
        number=int,
        trigger_parameters=(dict[str, Any] | None, None),
        state=Literal["created", "errored", "setup-pending", "setup", "pending"] | str,
        created_at=datetime,
        trigger=trigger,
        vcs=(vcs | None, None),
    )
    many: Any = GenericAlias(list, pipeline)
    return create_model("Page", __base__=base, items=many, next_page_token=(str | None, None))
