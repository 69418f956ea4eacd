"""The state of the fake: clock, plans, organizations, projects, runs and their rules. No requests, no JSON."""
