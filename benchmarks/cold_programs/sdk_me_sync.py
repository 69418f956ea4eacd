import sys

from circleci_sdk import CircleCI

with CircleCI("token", base_url=sys.argv[1]) as circleci:
    user = circleci.v2.users.me()
    assert user.login == "ada"
