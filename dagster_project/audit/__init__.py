"""Answers to questions about what was published. Reads only what is published or archived; knows no Dagster."""

from dagster_project.audit.explain import Explanation, explain

__all__ = ["Explanation", "explain"]
