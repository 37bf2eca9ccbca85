"""When new figures come out each year, and which are overdue.

The days follow the publication dates seen so far: national tests in the middle of November (17 and 18 November), the
Pupil Survey in the last week of January (28 and 29 January), grade points from the middle to the end of August (13,
25 and 30 August; the first release is preliminary, hence two days). A round can be run when all three are out: in
February. Schedules and freshness policies are made from these days too.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from dagster_project import schema
from dagster_project.archive.files import File, Key
from dagster_project.schema import school_year_label

GRACE = dt.timedelta(days=14)
"""After so long, figures that came out and are not in force are overdue."""


@dataclass(frozen=True)
class FiguresDue:
    """When the figures of a dataset come out. ``what`` names them; ``began`` years before, their school year began."""

    dataset: str
    what: str
    month: int
    days: tuple[int, ...]
    began: int = 0

    def deadline(self, year: int) -> dt.date:
        """When the figures that come out in a year have to be in force."""
        return dt.date(year, self.month, self.days[-1]) + GRACE

    def school_year(self, year: int) -> str:
        """The school year whose figures come out in a year."""
        return school_year_label(year - self.began)


FIGURES = (
    FiguresDue(schema.NATIONAL_TESTS, "national tests (nasjonale prøver)", 11, (19,)),
    FiguresDue(schema.PUPIL_SURVEY, "Pupil Survey (Elevundersøkelsen)", 1, (30,), began=1),
    FiguresDue(schema.GRADE_POINTS, "grade points (grunnskolepoeng)", 8, (16, 31), began=1),
)
ROUND = FiguresDue("round", "selection round (uttrekk)", 2, (15,), began=1)
"""When the round of a year can be run."""


@dataclass(frozen=True)
class Overdue:
    """Figures that are out and not in force."""

    due: FiguresDue
    school_year: str
    deadline: dt.date


def overdue_figures(in_force: Iterable[tuple[Key, tuple[File, ...]]], today: dt.date) -> list[Overdue]:
    """The newest school year of each dataset whose deadline has passed without a file in force.

    Of datasets that have official files: nobody publishes figures of the fictional country, and a home that was never
    given the Pupil Survey does not wait for it.
    """
    there = {key for key, files in in_force if any(not f.fictional for f in files)}
    found = []
    for due in FIGURES:
        year = today.year if due.deadline(today.year) < today else today.year - 1
        wanted = due.school_year(year)
        if any(name == due.dataset for name, _ in there) and (due.dataset, wanted) not in there:
            found.append(Overdue(due, wanted, due.deadline(year)))
    return found
