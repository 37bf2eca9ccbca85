"""Hold files to the expectations, stage by stage, and keep what failed."""

from dagster_project.validation.history import check_names, check_results
from dagster_project.validation.screen import Screening, screen

__all__ = ["Screening", "check_names", "check_results", "screen"]
