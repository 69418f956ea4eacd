import sys

import httpx
from pydantic import BaseModel


class User(BaseModel):
    id: str
    login: str
    name: str
    avatar_url: str | None = None


with httpx.Client(base_url=sys.argv[1], headers={"Circle-Token": "token"}) as client:
    response = client.get("/api/v2/me")
    response.raise_for_status()
    user = User.model_validate_json(response.content)
    assert user.login == "ada"
