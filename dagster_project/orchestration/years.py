"""The school years of each dataset, as partitions: those that the files in force have, read when definitions load.

A year for which nothing ever came is no partition, so it can neither be made nor show as made. A new school year needs
no change of code: it is there when the code location is loaded again, and a run without partitions makes it at once.
"""

from __future__ import annotations

import datetime as dt

import dagster as dg

from dagster_project.diagnostics import OppfolgingError
from dagster_project.intake.partitions import Extracts
from dagster_project.schema import school_year_label
from dagster_project.settings import load_settings

FIRST_MONTH = 8


def current_school_year(day: dt.date) -> str:
    """The school year that a day lies in; it begins in August."""
    return school_year_label(day.year if day.month >= FIRST_MONTH else day.year - 1)


def school_years(dataset: str) -> dg.StaticPartitionsDefinition:
    """The partitions of a dataset: its school years in force, or the current one while there are none."""
    try:
        years = [year for name, year in Extracts(load_settings()).in_force if name == dataset and year]
    except OppfolgingError:  # a damaged ledger is told of by whoever runs, not by an empty web UI
        years = []
    return dg.StaticPartitionsDefinition(years or [current_school_year(dt.date.today())])
