"""What several test suites stand on: the scripted server, the facts about the API and the checks against them."""
