"""Typed rule sets, rounds and registers. The YAML files under data/ are the rule; this room only reads and checks."""

from dagster_project.rules.compile import compile_parameters, compiled_day
from dagster_project.rules.describe import describe
from dagster_project.rules.loader import RuleBook, load_rules
from dagster_project.rules.model import Round, RuleSet

__all__ = ["Round", "RuleBook", "RuleSet", "compile_parameters", "compiled_day", "describe", "load_rules"]
