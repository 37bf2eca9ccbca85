"""The contract of the extracts: dataset names, columns, states and indicators. Facts of the format, no policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

NATIONAL_TESTS = "national_tests"
PUPIL_SURVEY = "pupil_survey"
GRADE_POINTS = "grade_points"
YEARLY_DATASETS = (NATIONAL_TESTS, PUPIL_SURVEY, GRADE_POINTS)
SCHOOL_REGISTER = "school_register"
MUNICIPALITY_CHANGES = "municipality_changes"
MUNICIPALITY_VERSIONS = "municipality_versions"
GOVERNOR_PRIORITIES = "governor_priorities"
DECISIONS = "decisions"
FOLLOWUP_REPORTS = "followup_reports"
SUPPORT_MEASURES = "support_measures"
ROUND_QUERIES = "round_queries"
SELECTED_MUNICIPALITY = "selected_municipality"
FORM_DATASETS = (
    GOVERNOR_PRIORITIES, DECISIONS, FOLLOWUP_REPORTS, SUPPORT_MEASURES, ROUND_QUERIES, SELECTED_MUNICIPALITY,
)  # fmt: skip

UNIT_LEVELS = ("national", "county", "municipality", "school")
STATES = ("observed", "suppressed", "no_participants", "absent")

SORT_KEY = ("fictional", "unit_level", "unit_code", "grade", "indicator", "ownership", "sex")
SLICE_KEY = ("fictional", "abroad", "grade", "indicator", "ownership", "sex")
REFERENCE_KEYS = {
    SCHOOL_REGISTER: ("fictional", "school_code"),
    MUNICIPALITY_CHANGES: ("fictional", "change_date", "old_code", "new_code"),
    MUNICIPALITY_VERSIONS: ("fictional", "valid_from", "code"),
}
"""What makes an entry of a register unique."""


@dataclass(frozen=True)
class IndicatorFormat:
    """What the files say about an indicator: its dataset, scale and number of published decimals.

    ``share_of_pupils``: the value is a percentage of pupils, not a mean over them.
    """

    dataset: str
    scale_min: float
    scale_max: float
    decimals: int
    grades: tuple[int, ...]
    share_of_pupils: bool = False


INDICATORS = {
    "bullying": IndicatorFormat(PUPIL_SURVEY, 0, 100, 1, (7, 10), share_of_pupils=True),
    "teacher_support": IndicatorFormat(PUPIL_SURVEY, 1, 5, 1, (7, 10)),
    "motivation": IndicatorFormat(PUPIL_SURVEY, 1, 5, 1, (7, 10)),
    "reading_level_1": IndicatorFormat(NATIONAL_TESTS, 0, 100, 1, (5, 8, 9), share_of_pupils=True),
    "numeracy_level_1": IndicatorFormat(NATIONAL_TESTS, 0, 100, 1, (5, 8, 9), share_of_pupils=True),
    "grade_points": IndicatorFormat(GRADE_POINTS, 0, 60, 1, (10,)),
    "reading_scale_score": IndicatorFormat(NATIONAL_TESTS, 0, 100, 0, (5, 8, 9)),
    "numeracy_scale_score": IndicatorFormat(NATIONAL_TESTS, 0, 100, 0, (5, 8, 9)),
    "english_scale_score": IndicatorFormat(NATIONAL_TESTS, 0, 100, 0, (5, 8)),
}


def extract_schema() -> pa.Schema:
    """Columns of a yearly extract, in order. One row is one cell of one file."""
    import pyarrow as pa

    return pa.schema(
        [
            ("dataset", pa.string()),
            ("school_year", pa.string()),
            ("unit_level", pa.string()),
            ("unit_code", pa.string()),
            ("unit_name", pa.string()),
            ("county_code", pa.string()),
            ("municipality_code", pa.string()),
            ("abroad", pa.bool_()),
            ("grade", pa.int32()),
            ("indicator", pa.string()),
            ("ownership", pa.string()),
            ("sex", pa.string()),
            ("value", pa.decimal128(18, 4)),
            ("n_pupils", pa.int64()),
            ("uncertainty", pa.decimal128(18, 4)),
            ("state", pa.string()),
            ("restricted", pa.bool_()),
            ("raw_value", pa.string()),
            ("source_sha256", pa.string()),
            ("source_row", pa.int64()),
            ("source_column", pa.string()),
            ("fictional", pa.bool_()),
            ("provisional", pa.bool_()),
            ("break_in_series", pa.bool_()),
        ]
    )


def register_schema() -> pa.Schema:
    """Columns of the school register. One row is one school as its newest record says."""
    import pyarrow as pa

    return pa.schema(
        [
            ("school_code", pa.string()),
            ("school_name", pa.string()),
            ("municipality_code", pa.string()),
            ("county_code", pa.string()),
            ("active", pa.bool_()),
            ("is_compulsory", pa.bool_()),
            ("ownership", pa.string()),
            ("special", pa.bool_()),
            ("closed_on", pa.date32()),
            ("grade_from", pa.int32()),
            ("grade_to", pa.int32()),
            ("governor_code", pa.string()),
            ("fictional", pa.bool_()),
            ("source_sha256", pa.string()),
            ("source_row", pa.int64()),
            ("source_column", pa.string()),
        ]
    )


def changes_schema() -> pa.Schema:
    """Columns of the municipality changes. One row is one old code leading to one new code on one day."""
    import pyarrow as pa

    return pa.schema(
        [
            ("old_code", pa.string()),
            ("old_name", pa.string()),
            ("new_code", pa.string()),
            ("new_name", pa.string()),
            ("change_date", pa.date32()),
            ("fictional", pa.bool_()),
            ("source_sha256", pa.string()),
            ("source_row", pa.int64()),
            ("source_column", pa.string()),
        ]
    )


def versions_schema() -> pa.Schema:
    """Columns of the municipality lists. One row is one code of a list valid from a day."""
    import pyarrow as pa

    return pa.schema(
        [
            ("code", pa.string()),
            ("name", pa.string()),
            ("parent_code", pa.string()),
            ("valid_from", pa.date32()),
            ("fictional", pa.bool_()),
            ("source_sha256", pa.string()),
            ("source_row", pa.int64()),
            ("source_column", pa.string()),
        ]
    )


def start_year(school_year: str) -> int:
    """The year in which a school year such as ``2024-25`` begins."""
    return int(school_year[:4])


def school_year_label(start: int) -> str:
    """``2024`` becomes ``2024-25``."""
    return f"{start}-{(start + 1) % 100:02d}"
