import sys

from circleci_sdk import CircleCI

with CircleCI("token", base_url=sys.argv[1]) as circleci:
    [pipeline] = circleci.v2.pipelines.list_for_project("gh/acme/web").take(1)
    assert pipeline.number == 1
