"""Pipelines, workflows, jobs and tests as flat records."""
