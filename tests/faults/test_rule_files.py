"""Each mistake in a rule file is named with file, line and column, and what to do; nothing is compiled from it."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from dagster_project.audit import doctor
from dagster_project.cli import main
from dagster_project.diagnostics import Finding, RuleProblem
from dagster_project.effects.parameters import load_effect_parameters
from dagster_project.fetch.addresses import load_services
from dagster_project.orchestration.partitions import read_rounds
from dagster_project.rules import load_rules
from dagster_project.rules.reader import parse_yaml
from dagster_project.settings import REPOSITORY, Settings
from dagster_project.simulation.assumptions import load_assumptions
from dagster_project.simulation.paths import parse
from dagster_project.simulation.sweep import values_of


@dataclass(frozen=True)
class Place:
    """Where the finding must stand."""

    file: str
    line: int = 1
    column: int = 1


Mistake = Callable[[Path], Place]


def changed(file: str, old: str, new: str) -> Mistake:
    """Replace the first occurrence of ``old``. The sign § in ``new`` marks the place to be named; it is not written."""

    def make(home: Path) -> Place:
        text = (home / file).read_text(encoding="utf-8")
        assert old in text and new.count("§") == 1, (old, new)
        before, after = text.replace(old, new, 1).split("§")
        (home / file).write_text(before + after, encoding="utf-8")
        return Place(file, before.count("\n") + 1, len(before) - before.rfind("\n"))

    return make


def in_rule(old: str, new: str) -> Mistake:
    return changed("rules/udir-2020.yaml", old, new)


def in_rounds(old: str, new: str) -> Mistake:
    return changed("rounds.yaml", old, new)


def in_exceptions(old: str, new: str) -> Mistake:
    return changed("registers/exceptions.yaml", old, new)


def in_governors(old: str, new: str) -> Mistake:
    return changed("registers/county_governors.yaml", old, new)


def in_publication(old: str, new: str) -> Mistake:
    return changed("registers/publication.yaml", old, new)


def in_effects(old: str, new: str) -> Mistake:
    return changed("effects.yaml", old, new)


def in_uncertainty(old: str, new: str) -> Mistake:
    return changed("uncertainty.yaml", old, new)


def limits(indicator: str, national: str, absolute: str) -> Mistake:
    """Give both limits of an indicator anew, each as method and values."""

    def make(home: Path) -> Place:
        path = home / "rules" / "udir-2020.yaml"
        before, entry, after = path.read_text(encoding="utf-8").partition(f"  - name: {indicator}\n")
        for side, limit in (("national", national), ("absolute", absolute)):
            given = f"    {side}: {{{limit}, basis: placeholder, source: method}}"
            after = re.sub(rf"    {side}: .*", given, after, count=1)
        path.write_text(before + entry + after, encoding="utf-8")
        return in_rule("§", "§")(home)

    return make


def between(file: str, first: str, last: str, new: str) -> Mistake:
    """Replace everything from ``first`` up to ``last``."""

    def make(home: Path) -> Place:
        text = (home / file).read_text(encoding="utf-8")
        start = text.index(first)
        end = text.index(last, start) if last else len(text)
        return changed(file, text[start:end], new)(home)

    return make


def content(file: str, written: bytes, line: int = 1, column: int = 1) -> Mistake:
    def make(home: Path) -> Place:
        (home / file).write_bytes(written)
        return Place(file, line, column)

    return make


def without_file(file: str) -> Mistake:
    def make(home: Path) -> Place:
        (home / file).unlink()
        return Place(file)

    return make


def folder_in_its_place(home: Path) -> Place:
    (home / "rules" / "udir-2030.yaml").mkdir()
    return Place("rules/udir-2030.yaml")


def encoded(encoding: str, line: int, column: int) -> Mistake:
    def make(home: Path) -> Place:
        path = home / "registers" / "exceptions.yaml"
        path.write_bytes(path.read_text(encoding="utf-8").encode(encoding))
        return Place("registers/exceptions.yaml", line, column)

    return make


def renamed(home: Path) -> Place:
    shutil.copyfile(home / "rules" / "udir-2020.yaml", home / "rules" / "udir-2030.yaml")
    return changed("rules/udir-2030.yaml", "rule_set:", "§rule_set:")(home)


def after(first: Mistake, then: Mistake) -> Mistake:
    """Two changes, of which the second is the mistake."""

    def make(home: Path) -> Place:
        first(home)
        return then(home)

    return make


def bomb(levels: int) -> bytes:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, levels)]
    return "\n".join(lines).encode()


LONG = b"exceptions:\n" + b"  - {unit_level: municipality}\n" * 40_000
SHARE = "percentile: 10, base_year: 2021-22"
SVALBARD = '{unit_level: municipality, unit_code: "2100", kind: pseudo_unit, rounds: all'
FYLKE = '{unit_level: county, unit_code: "21", kind: pseudo_unit'

RULES: dict[str, tuple[Mistake, str, str]] = {
    # the file itself
    "register_gone": (without_file("registers/county_governors.yaml"), "missing-file", "Restore the file"),
    "folder_in_its_place": (folder_in_its_place, "missing-file", "directory"),
    "saved_in_another_encoding": (encoded("cp1252", 13, 102), "wrong-encoding", "UTF-8"),
    "saved_as_utf_16": (encoded("utf-16", 1, 1), "wrong-encoding", "UTF-8"),
    "saved_as_utf_16_without_mark": (encoded("utf-16-le", 1, 2), "wrong-encoding", "found: character 00"),
    "zero_bytes_in_the_text": (content("rounds.yaml", b"rounds:\n  - id: \0\n", 2, 9), "wrong-encoding", "found: character 00"),
    "empty": (content("rounds.yaml", b""), "empty-file", "rounds.yaml is empty"),
    "comments_only": (content("effects.yaml", b"# nothing\n"), "empty-file", "effects.yaml is empty"),
    "over_a_megabyte": (content("registers/exceptions.yaml", LONG), "file-too-large", "1,240,012 bytes"),
    "scalar_of_ten_megabytes": (content("rounds.yaml", b"rounds: " + b"x" * 10_000_000), "file-too-large", "10,000,008 bytes"),
    "service_given_twice": (content("services.yaml", b"klass: {base: 'https://example.org'}\nklass: {}\n", 2, 1), "repeated-key", "klass is given twice"),
    "bomb_in_the_services": (content("services.yaml", bomb(30), 1, 5), "yaml-alias", "found: &a0"),
    "hundreds_of_thousands_of_values": (content("rounds.yaml", b"rounds: [" + b"1," * 200_000 + b"]", 1, 200_006), "file-too-large", "at most 100,000 values"),
    "more_mistakes_than_anybody_reads": (content("registers/exceptions.yaml", b"exceptions:\n" + b"  - {unit_level: school}\n" * 99, 22, 5), "too-many-mistakes", "more than 100 mistakes"),
    "more_codes_read_as_octal_than_anybody_reads": (content("registers/exceptions.yaml", b"exceptions:\n" + b"  - 01\n" * 200, 102, 5), "too-many-mistakes", "more than 100 mistakes"),
    "file_and_rule_set_named_apart": (renamed, "wrong-name", "udir-2030"),
    "list_for_a_file": (content("rounds.yaml", b"- id: x\n"), "invalid-value", "keys with values: rounds"),
    # YAML
    "broken_yaml": (in_rule("points:\n", "points: §[\n"), "invalid-yaml", "not closed"),
    "quotation_left_open": (in_rule('scheme_version: "2020"', 'scheme_version: §"2020'), "invalid-yaml", "YAML"),
    "comma_left_out": (in_rule("{value: 30, basis: stated, source", "{value: 30, basis: stated source§"), "invalid-yaml", "YAML"),
    "ends_too_early": (content("rounds.yaml", b"rounds: [\n", 1, 1), "invalid-yaml", "found: rounds: ["),
    "indented_with_a_tab": (in_rule("  min_areas:", "§\tmin_areas:"), "invalid-yaml", "begins with a tab"),
    "indented_too_little": (in_rounds("    title:", "   §title:"), "invalid-yaml", "YAML"),
    "anchor": (in_rule("window:", "window: §&window"), "yaml-alias", "found: &window"),
    "alias": (in_rounds("rule_set: udir-2020", "rule_set: §*rule"), "yaml-alias", "found: *rule"),
    "anchor_bomb": (content("rounds.yaml", bomb(30), 1, 5), "yaml-alias", "found: &a0"),
    "merge_key": (in_rule("  average:\n", "  average:\n    §<<: {quota: 3}\n"), "ambiguous-value", "found: <<"),
    "python_tag": (in_rounds("title: ", "title: §!!python/object/apply:os.system "), "yaml-tag", "python/object"),
    "tag_of_a_type": (in_rule("quota: {value: 30", "quota: {value: §!!int 30"), "yaml-tag", "Remove the tag"),
    "nested_too_deeply": (content("rounds.yaml", b"[" * 200 + b"]" * 200, 1, 31), "nested-too-deeply", "at most 30 levels"),
    "nested_beyond_all_reading": (content("rounds.yaml", b"[" * 200_000, 1, 1001), "invalid-yaml", "exceeded"),
    "lists_ten_thousand_deep": (content("rounds.yaml", b"- " * 10_000, 1, 61), "nested-too-deeply", "at most 30 levels"),
    "keys_ten_thousand_deep": (content("rounds.yaml", b"\n".join(b" " * i + b"a:" for i in range(1_000)), 31, 31), "nested-too-deeply", "at most 30 levels"),
    "two_documents": (in_rounds("rounds:\n", "rounds: []\n§---\nrounds:\n"), "several-documents", "a second document"),
    "list_for_a_key": (in_rule("  min_areas:", "  ? §[a, b]\n  :"), "invalid-yaml", "a key"),
    "repeated_key": (in_rule("  years: {value: 3", "  years: {value: 2, basis: stated, source: udir}\n  §years: {value: 3"), "repeated-key", "years"),
    "repeated_key_in_a_row": (in_exceptions("kind: pseudo_unit", "kind: excluded, §kind: pseudo_unit"), "repeated-key", "exceptions.0.kind"),
    "yes_for_true": (in_rule("excludes_average: {value: true", "excludes_average: {value: §yes"), "ambiguous-value", "true or false"),
    "no_where_text_is_meant": (in_rule("title: Udirs oppfølgingsordning for kommuner, regelen fra 2020", "title: §no"), "ambiguous-value", "text in quotes"),
    "on_for_a_key": (in_rule("  min_areas:", "  §on:"), "ambiguous-value", "found: on"),
    "code_read_as_octal": (in_exceptions('unit_code: "2100"', "unit_code: §0301"), "ambiguous-value", "the code in quotes"),
    "county_read_as_octal": (in_governors('counties: ["03"]', "counties: [§03]"), "ambiguous-value", "the code in quotes"),
    "number_with_underscores": (in_uncertainty("draws: {value: 1000", "draws: {value: §1_000"), "ambiguous-value", "plain digits"),
    "hexadecimal_number": (in_rule("quota: {value: 30", "quota: {value: §0x1E"), "ambiguous-value", "plain digits"),
    "clock_time_read_in_sixties": (in_rule("note: A13}", "note: §10:30}"), "ambiguous-value", "in quotes"),
    "infinite": (in_rule("weight: {value: 1", "weight: {value: §.inf"), "ambiguous-value", "plain digits"),
    "not_a_number": (in_rule("level: {value: 0.15", "level: {value: §.nan"), "ambiguous-value", "plain digits"),
    "beyond_all_numbers": (in_rule("weight: {value: 1", "weight: {value: §1.0e+999"), "ambiguous-value", "plain digits"),
    # keys
    "unknown_key": (in_rule("  min_areas:", "  min_areas: {value: 2, basis: stated, source: udir}\n  §min_aeras:"), "unknown-key", "Did you mean min_areas?"),
    "unknown_key_of_a_source": (in_rule("{text: \"Udir, Hvilke", "{§txt: x, text: \"Udir, Hvilke"), "unknown-key", "Did you mean text?"),
    "unknown_key_of_a_governor": (in_governors("valid_from: 2020-01-01", "valid_from: 2020-01-01, §valid_until: 2020-01-01"), "unknown-key", "Did you mean valid_"),
    "number_for_a_key": (in_rule("coverage:", "§2020: x\ncoverage:"), "unknown-key", "2020"),
    "value_left_out": (in_rule("  average:\n    quota: {value: 30, basis: stated", "  average:\n    §quota: {basis: stated"), "missing-key", "quota.value is missing"),
    "choice_without_basis_and_source": (in_rule("quota: {value: 30, basis: stated, source: udir}", "§quota: 30"), "invalid-value", "keys with values: basis, source, note, value"),
    "section_left_empty": (between("rules/udir-2020.yaml", "coverage:", "scope:", "§coverage:\n\n"), "invalid-value", "min_coverage"),
    "missing_source": (in_rule("ties: {value: strict_order, basis: inferred, source: method,", "§ties: {value: strict_order, basis: inferred,"), "missing-source", "source"),
    "unknown_source": (in_rule("percent: {value: 25, basis: stated, source: udir}", "percent: {value: 25, basis: stated, §source: hearsay}"), "invalid-value", "hearsay"),
    "unknown_source_of_a_limit": (in_rule("base_year: 2021-22, basis: placeholder, source: method", "base_year: 2021-22, basis: placeholder, §source: hearsay"), "invalid-value", "hearsay"),
    "unknown_basis": (in_rule("quota: {value: 30, basis: stated", "quota: {value: 30, §basis: certain"), "invalid-value", "placeholder"),
    # types
    "quota_as_yes_or_no": (in_rule("quota: {value: 30", "quota: {§value: true"), "invalid-value", "a whole number"),
    "quota_in_quotes": (in_rule("quota: {value: 30", 'quota: {§value: "30"'), "invalid-value", "without quotes"),
    "quota_with_a_fraction": (in_rule("quota: {value: 30", "quota: {§value: 30.5"), "invalid-value", "a whole number"),
    "wrong_type": (in_rule("quota: {value: 30", "quota: {§value: thirty"), "invalid-value", "a whole number"),
    "flag_as_a_number": (in_rule("excludes_average: {value: true", "excludes_average: {§value: 1"), "invalid-value", "true or false"),
    "flag_in_quotes": (in_rule("excludes_average: {value: true", 'excludes_average: {§value: "true"'), "invalid-value", "true or false"),
    "weight_in_quotes": (in_rule("weight: {value: 1", 'weight: {§value: "1"'), "invalid-value", "a number, without quotes"),
    "weight_as_yes_or_no": (in_rule("weight: {value: 1", "weight: {§value: true"), "invalid-value", "a number, without quotes"),
    "number_for_a_text": (in_rule('scheme_version: "2020"', "§scheme_version: 2020"), "invalid-value", "text, in quotes"),
    "date_for_a_text": (in_rule("note: A13}", "§note: 2020-01-01}"), "invalid-value", "text, in quotes"),
    "text_for_a_list": (in_rule("grades: {value: [7, 10]", "grades: {§value: 7"), "invalid-value", "a list"),
    "list_for_a_text": (in_rule("title: Udirs", "§title: [a, b] # Udirs"), "invalid-value", "text, in quotes"),
    "blank_title": (in_rounds('title: "Fabelland 2023 (oppdiktet / fictional)"', '§title: "  "'), "invalid-value", "letter or digit"),
    "title_left_out": (in_rounds('title: "Fabelland 2023 (oppdiktet / fictional)"', "§title:"), "invalid-value", "found: null"),
    "blank_source_text": (in_rule('text: "How the figures stand in Udir\'s statistics bank"', '§text: " "'), "invalid-value", "letter or digit"),
    "blank_note": (in_rule("note: A13}", '§note: ""}'), "invalid-value", "letter or digit"),
    "address_without_its_beginning": (in_rule('url: "https://www.udir.no', '§url: "www.udir.no'), "invalid-value", "https://"),
    # indicators
    "no_indicators": (between("rules/udir-2020.yaml", "indicators:\n", "coverage:", "§indicators: []\n"), "invalid-value", "at least one entry"),
    "unknown_indicator": (in_rule("- name: motivation", "- §name: motivaton"), "invalid-value", "did you mean motivation"),
    "indicator_twice": (in_rule("- name: motivation", "- §name: teacher_support"), "invalid-value", "is given twice"),
    "dataset_of_another": (in_rule("dataset: pupil_survey", "§dataset: national_tests"), "invalid-value", "bullying stands in pupil_survey"),
    "area_of_another": (in_rule("area: learning_environment", "§area: national_tests"), "invalid-value", "expected: learning_environment"),
    "no_grades": (in_rule("grades: {value: [7, 10]", "grades: {§value: []"), "invalid-value", "at least one entry"),
    "wrong_grade": (in_rule("grades: {value: [7, 10]", "grades: {value: [7, §11]"), "invalid-value", "no grade 11"),
    "grade_twice": (in_rule("grades: {value: [7, 10]", "grades: {value: [7, §7]"), "invalid-value", "7 is given twice"),
    "grade_in_quotes": (in_rule("grades: {value: [7, 10]", 'grades: {value: [§"7", 10]'), "invalid-value", "a whole number"),
    "weight_of_nothing": (in_rule("weight: {value: 1", "weight: {§value: 0"), "invalid-value", "greater than 0"),
    "weight_beyond_reason": (in_rule("weight: {value: 1", "weight: {§value: 1000"), "invalid-value", "less than or equal to 100"),
    "weight_finer_than_stored": (in_rule("weight: {value: 1", "weight: {§value: 0.33333"), "invalid-value", "at most 4 decimals"),
    "unknown_direction": (in_rule("direction: {value: higher_is_worse", "direction: {§value: higher"), "invalid-value", "lower_is_worse"),
    "decimals_finer_than_stored": (in_rule("decimals: {value: 1", "decimals: {§value: 5"), "invalid-value", "less than or equal to 4"),
    # limits
    "unknown_method": (in_rule("method: published", "§method: publised"), "invalid-value", "mean_sd"),
    "limit_without_its_value": (in_rule("method: percentile, percentile: 10,", "§method: percentile,"), "invalid-value", "needs percentile"),
    "limit_with_a_stray_value": (in_rule("method: published,", "method: published, §k: 2,"), "invalid-value", "no use for k"),
    "limit_decimals_finer_than_stored": (in_rule("method: published,", "method: published, §decimals: 5,"), "invalid-value", "less than or equal to 4"),
    "percentile_of_everybody": (in_rule(SHARE, "§percentile: 100, base_year: 2021-22"), "invalid-value", "less than 100"),
    "percentile_as_a_share": (in_rule(SHARE, "§percentile: 0.1, base_year: 2021-22"), "invalid-value", "greater than or equal to 1"),
    "limit_above_the_scale": (limits("grade_points", "method: published", "method: fixed, §value: 9999"), "invalid-value", "0 to 60"),
    "limit_below_the_scale": (limits("motivation", "method: fixed, §value: 0.5", "method: published"), "invalid-value", "1 to 5"),
    "limit_of_a_grade_off_the_scale": (limits("motivation", "method: published", "method: fixed, values: {7: 3.1, §10: 31}"), "invalid-value", "1 to 5"),
    "limit_without_one_grade": (limits("motivation", "method: published", "method: fixed, §values: {7: 3.1}"), "invalid-value", "[7, 10]"),
    "limit_by_grade_in_quotes": (limits("motivation", "method: published", 'method: fixed, values: {§"7": 3.1, 10: 3}'), "invalid-value", 'found: "7"'),
    "limit_twice": (limits("motivation", "method: published", "method: fixed, §value: 3, values: {7: 3.1, 10: 3}"), "invalid-value", "no use for value"),
    "limits_in_the_wrong_order": (limits("grade_points", "method: fixed, value: 39", "method: fixed, §value: 41"), "invalid-value", "at most 39"),
    "limits_in_the_wrong_order_where_higher_is_worse": (limits("bullying", "method: fixed, value: 12", "method: fixed, §value: 8"), "invalid-value", "at least 12"),
    "limits_of_a_grade_in_the_wrong_order": (limits("motivation", "method: fixed, value: 3", "method: fixed, values: {7: 2.9, §10: 3.5}"), "invalid-value", "at most 3"),
    "percentiles_in_the_wrong_order": (limits("motivation", f"method: percentile, {SHARE}", "method: percentile, §percentile: 25, base_year: 2021-22"), "invalid-value", "at most 10"),
    "deviations_in_the_wrong_order": (limits("motivation", "method: mean_sd, k: 2, base_year: same_year", "method: mean_sd, §k: 1, base_year: same_year"), "invalid-value", "at least 2"),
    "impossible_base_year": (in_rule("base_year: 2021-22", "§base_year: 2021-23"), "invalid-value", "such as 2024-25"),
    "base_year_as_a_number": (in_rule("base_year: 2021-22", "§base_year: 2021"), "invalid-value", "such as 2024-25"),
    "base_year_before_any_statistics": (in_rule("base_year: 2021-22", "§base_year: 1999-00"), "invalid-value", "2006"),
    "base_year_after_every_round": (in_rule("base_year: 2021-22", "§base_year: 2031-32"), "invalid-value", "no round of udir-2020"),
    "base_year_after_a_round": (after(in_rounds("last_school_year: 2022-23", "§last_school_year: 2020-21"), in_rounds("rule_set", "§rule_set")), "invalid-value", "after the figures of fictional-2023"),
    # the rest of a rule set
    "no_years": (in_rule("years: {value: 3", "years: {§value: 0"), "invalid-value", "greater than or equal to 1"),
    "lag_of_an_unknown_dataset": (in_rule("    national_tests: {value: 0", "    national_tests: {value: 0, basis: stated, source: udir}\n    §national_test: {value: 0"), "invalid-value", "unknown dataset"),
    "lag_left_out": (between("rules/udir-2020.yaml", "  lag:", "\npoints:", "  §lag:\n    pupil_survey: {value: 0, basis: stated, source: udir}\n    national_tests: {value: 0, basis: stated, source: udir}\n"), "invalid-value", "grade_points"),
    "lag_backwards": (in_rule("pupil_survey: {value: 0", "pupil_survey: {§value: -1"), "invalid-value", "greater than or equal to 0"),
    "points_in_the_wrong_order": (in_rule("national: {value: 1", "national: {§value: 4"), "invalid-value", "at most 3"),
    "unknown_choice": (in_rule("value: separate", "§value: apart"), "invalid-value", "pooled"),
    "share_above_one": (in_rule("min_coverage: {value: 0.5", "min_coverage: {§value: 50"), "invalid-value", "less than or equal to 1"),
    "more_areas_than_there_are": (changed("rules/np-scale-score.yaml", "min_areas: {value: 1", "min_areas: {§value: 2"), "invalid-value", "at most 1"),
    "quarter_as_a_share": (in_rule("percent: {value: 25", "percent: {§value: 0.25"), "invalid-value", "greater than or equal to 1"),
    "quarter_of_everybody": (in_rule("percent: {value: 25", "percent: {§value: 100"), "invalid-value", "less than 100"),
    "percent_of_schools_above_100": (in_rule("min_observed_school_percent: {value: 50", "min_observed_school_percent: {§value: 101"), "invalid-value", "less than or equal to 100"),
    "tie_break_twice": (in_rule("[absolute_hit_share, pupils]", "[pupils, §pupils]"), "invalid-value", "pupils is given twice"),
    "one_tie_break": (in_rule("{value: [absolute_hit_share, pupils]", "{§value: [pupils]"), "invalid-value", "more entries"),
    "three_tie_breaks": (in_rule("{value: [absolute_hit_share, pupils]", "{§value: [pupils, none, none]"), "invalid-value", "fewer entries"),
    "quota_below_nothing": (in_rule("quota: {value: 30", "quota: {§value: -30"), "invalid-value", "greater than or equal to 0"),
    "quota_beyond_reason": (in_rule("quota: {value: 30", "quota: {§value: 30000"), "invalid-value", "less than or equal to 1000"),
    "level_in_percent": (in_rule("level: {value: 0.15", "level: {§value: 15"), "invalid-value", "less than or equal to 1"),
    "spread_of_one_school": (in_rule("min_schools: {value: 2", "min_schools: {§value: 1"), "invalid-value", "greater than or equal to 2"),
    "thirteenth_month": (in_rule("starts_in_month: {value: 8", "starts_in_month: {§value: 13"), "invalid-value", "less than or equal to 12"),
    "report_twice": (in_rule("{report: 2,", "{§report: 1,"), "invalid-value", "report 1 is given twice"),
    "report_after_the_follow_up": (in_rule("after_year: 3", "§after_year: 4"), "invalid-value", "a year from 1 to 3"),
    "report_that_nobody_sends": (in_rule("senders: [municipality, guides, county_governor]", "§senders: []"), "invalid-value", "at least one entry"),
    "sender_twice": (in_rule("[municipality, county_governor]", "[municipality, §municipality]"), "invalid-value", "municipality is given twice"),
    "unknown_sender": (in_rule("[municipality, county_governor]", "[municipality, §udir]"), "invalid-value", "county_governor"),
    "no_reports": (between("rules/udir-2020.yaml", "    value:\n      - {report", "    basis: stated\n    source: phases", "    §value: []\n"), "invalid-value", "at least one entry"),
    "no_years_of_follow_up": (between("rules/udir-2020.yaml", "  preparatory_years", "  starts_in_month", "  preparatory_years: {value: 0, basis: stated, source: phases}\n  implementation_years: {§value: 0, basis: stated, source: phases}\n"), "invalid-value", "at least one year"),
    # rounds
    "no_rounds": (content("rounds.yaml", b"rounds: []\n"), "invalid-value", "at least one entry"),
    "text_for_rounds": (content("rounds.yaml", b"rounds: none\n"), "invalid-value", "a list"),
    "round_twice": (in_rounds("id: np-2025", "§id: fictional-2026"), "repeated-round", "another id"),
    "round_with_a_space": (in_rounds("id: np-2025", "§id: NP 2025"), "invalid-value", "small letters"),
    "two_rounds_for_one_cohort": (after(in_rounds("selection_date: 2026-02-15", "selection_date: 2025-10-01§"), in_rounds("selection_date: 2025-02-15", "§selection_date: 2025-02-15")), "repeated-cohort", "uttrekk_2025"),
    "cohort_named_twice": (in_rounds("selection_date: 2026-02-15", "selection_date: 2026-02-15\n    §cohort: uttrekk_2024"), "repeated-cohort", "uttrekk_2024"),
    "unknown_rule_set": (in_rounds("rule_set: udir-2020", "§rule_set: udir-2021"), "unknown-rule-set", "Did you mean udir-2020?"),
    "unknown_origin": (in_rounds("origin: fictional", "§origin: invented"), "invalid-value", "official"),
    "state_that_only_a_release_has": (in_rounds("status: draft", "§status: final"), "invalid-value", "draft"),
    "cohort_named_otherwise": (in_rounds("status: draft", "status: draft\n    §cohort: 2026"), "invalid-value", "text"),
    "impossible_date": (in_rounds("selection_date: 2026-02-15", "selection_date: §2026-02-31"), "invalid-value", "day is out of range"),
    "date_in_quotes": (in_rounds("selection_date: 2026-02-15", '§selection_date: "2026-02-15"'), "invalid-value", "without quotes"),
    "date_as_a_number": (in_rounds("selection_date: 2026-02-15", "§selection_date: 20260215"), "invalid-value", "a date such as"),
    "date_the_norwegian_way": (in_rounds("selection_date: 2026-02-15", "§selection_date: 15.02.2026"), "invalid-value", "a date such as"),
    "date_with_a_time": (in_rounds("selection_date: 2026-02-15", "selection_date: §2026-02-15 12:00:00"), "ambiguous-value", "a date such as"),
    "year_mistyped": (in_rounds("selection_date: 2026-02-15", "§selection_date: 2926-02-15"), "invalid-value", "2000 to 2100"),
    "selected_before_the_year_began": (in_rounds("selection_date: 2026-02-15", "§selection_date: 2025-02-28"), "invalid-value", "a date from 2025-08-01"),
    "selected_years_later": (in_rounds("selection_date: 2026-02-15", "§selection_date: 2029-02-15"), "invalid-value", "before 2028-08-01"),
    "priorities_before_the_selection": (in_rounds("priorities_due: 2026-03-31", "§priorities_due: 2025-03-31"), "invalid-value", "before the selection date"),
    "queries_long_after_the_selection": (in_rounds("queries_due: 2026-05-15", "§queries_due: 2036-05-15"), "invalid-value", "over a year after"),
    "impossible_school_year": (in_rounds("last_school_year: 2025-26", "§last_school_year: 2025-27"), "invalid-value", "such as 2024-25"),
    # registers
    "municipality_code_of_three_digits": (in_exceptions('unit_code: "7900"', '§unit_code: "790"'), "invalid-value", "four digits"),
    "municipality_code_as_a_number": (in_exceptions('unit_code: "7900"', "§unit_code: 7900"), "invalid-value", "in quotes"),
    "county_code_of_four_digits": (in_exceptions('unit_code: "79"', '§unit_code: "7900"'), "invalid-value", "two digits"),
    "school_code_with_a_wrong_digit": (in_exceptions('unit_level: municipality, unit_code: "2100"', 'unit_level: school, §unit_code: "974552125"'), "invalid-value", "check digit"),
    "school_code_cut_short": (in_exceptions('unit_level: municipality, unit_code: "2100"', 'unit_level: school, §unit_code: "U9999999"'), "invalid-value", "nine digits"),
    "exception_of_the_country": (in_exceptions("unit_level: county", "§unit_level: national"), "invalid-value", "municipality"),
    "unknown_kind": (in_exceptions("kind: pseudo_unit", "§kind: excuded"), "invalid-value", "special_school"),
    "municipality_as_a_special_school": (in_exceptions("kind: pseudo_unit", "§kind: special_school"), "invalid-value", "special_school of a school"),
    "exception_for_a_round_that_is_not": (in_exceptions("pseudo_unit, rounds: all", "pseudo_unit, rounds: [§np-2035]"), "unknown-round", "np-2025"),
    "exception_for_no_round": (in_exceptions("pseudo_unit, rounds: all", "pseudo_unit, §rounds: []"), "invalid-value", "at least one entry"),
    "exception_for_a_round_twice": (in_exceptions("pseudo_unit, rounds: all", "pseudo_unit, rounds: [np-2025, §np-2025]"), "invalid-value", "np-2025 is given twice"),
    "exception_for_a_round_without_a_list": (in_exceptions("pseudo_unit, rounds: all", "pseudo_unit, §rounds: np-2025"), "invalid-value", "a list"),
    "exception_twice": (in_exceptions(f"  - {FYLKE}", f'  - §{SVALBARD}, ground: "the same", source: "another"}}\n  - {FYLKE}'), "invalid-value", "2100 is given twice"),
    "exception_without_ground": (in_exceptions('ground: "Svalbard er ingen kommune"', '§ground: "-"'), "invalid-value", "letter or digit"),
    "exception_that_ends_before_it_begins": (in_exceptions("pseudo_unit, rounds: all", "pseudo_unit, rounds: all, valid_from: 2024-01-01, §valid_to: 2023-12-31"), "invalid-value", "a date from 2024-01-01 on"),
    "governor_with_a_wrong_digit": (in_governors('code: "974761319"', '§code: "974761318"'), "invalid-value", "check digit"),
    "governor_with_a_name_for_a_code": (in_governors('code: "974761319"', "§code: SFOV-Oslo"), "invalid-value", "capital letters"),
    "governor_code_as_a_number": (in_governors('code: "974761319"', "§code: 974761319"), "invalid-value", "in quotes"),
    "governor_of_no_county": (in_governors('counties: ["34"]', "§counties: []"), "invalid-value", "at least one entry"),
    "county_of_three_digits": (in_governors('counties: ["34"]', 'counties: [§"340"]'), "invalid-value", "two digits"),
    "county_as_a_number": (in_governors('counties: ["34"]', "counties: [§34]"), "invalid-value", "text, in quotes"),
    "county_twice_in_a_list": (in_governors('counties: ["39", "40"]', 'counties: ["39", §"39"]'), "invalid-value", "39 is given twice"),
    "county_with_two_governors": (in_governors('counties: ["42"]', 'counties: ["42", §"34"]'), "invalid-value", "county 34 has two governors from 2020-01-01"),
    "governors_that_overlap_by_a_day": (in_governors('counties: ["30"], valid_from: 2020-01-01, valid_to: 2023-12-31}', 'counties: ["30"], valid_from: 2020-01-01, valid_to: 2023-12-31}\n  - {name: A, counties: [§"30"], valid_from: 2023-12-31}'), "invalid-value", "from 2023-12-31"),
    "governor_that_ends_before_it_begins": (in_governors("valid_to: 2023-12-31", "§valid_to: 2019-12-31"), "invalid-value", "valid_to lies before valid_from"),
    "governor_without_a_beginning": (in_governors('  - {name: "Statsforvalteren i Innlandet", code: "974761645", counties: ["34"], valid_from: 2020-01-01}', '  - §{name: "Statsforvalteren i Innlandet", code: "974761645", counties: ["34"]}'), "missing-key", "valid_from is missing"),
    "governor_without_a_name": (in_governors('name: "Statsforvalteren i Innlandet"', '§name: ""'), "invalid-value", "letter or digit"),
    "public_cell_alone": (in_publication("min_hidden: {value: 2", "min_hidden: {§value: 1"), "invalid-value", "greater than or equal to 2"),
    "public_figure_on_nine_pupils": (in_publication("min_pupils: {value: 10", "min_pupils: {§value: 9"), "invalid-value", "greater than or equal to 10"),
    "public_threshold_without_source": (in_publication("min_pupils: {value: 10, basis: inferred, source: exports", "§min_pupils: {value: 10, basis: inferred"), "missing-source", "source"),
    "public_source_unknown": (in_publication("source: method", "§source: hearsay"), "invalid-value", "hearsay"),
    # effects and uncertainty
    "confidence_in_percent": (in_effects("confidence: {value: 0.95", "confidence: {§value: 95"), "invalid-value", "less than 1"),
    "confidence_in_quotes": (in_effects("confidence: {value: 0.95", 'confidence: {§value: "0.95"'), "invalid-value", "a number, without quotes"),
    "neighbours_in_words": (in_effects("neighbours: {value: 5", "neighbours: {§value: five"), "invalid-value", "a whole number"),
    "no_neighbours": (in_effects("neighbours: {value: 5", "neighbours: {§value: 0"), "invalid-value", "greater than or equal to 1"),
    "ranks_beyond_reason": (in_effects("bandwidth_ranks: {value: 30", "bandwidth_ranks: {§value: 3000"), "invalid-value", "less than or equal to 500"),
    "event_study_that_begins_too_late": (in_effects("first: {value: -3", "first: {§value: 3"), "invalid-value", "less than or equal to -1"),
    "event_study_before_the_first_followed_year": (after(in_effects("first_followed_year: {value: 1", "§first_followed_year: {value: 2"), in_effects("last: {value: 3", "last: {§value: 1")), "invalid-value", "at least 2"),
    "effects_source_unknown": (in_effects("source: benchmark", "§source: hearsay"), "invalid-value", "hearsay"),
    "level_in_percent_of_uncertainty": (in_uncertainty("level: {value: 0.95", "level: {§value: 95"), "invalid-value", "less than 1"),
    "level_of_what_is_left": (in_uncertainty("level: {value: 0.95", "level: {§value: 0.05"), "invalid-value", "greater than 0.5"),
    "too_few_draws": (in_uncertainty("draws: {value: 1000", "draws: {§value: 10"), "invalid-value", "greater than or equal to 20"),
    "seed_with_a_fraction": (in_uncertainty("seed: {value: 1", "seed: {§value: 1.5"), "invalid-value", "a whole number"),
    "deviation_of_a_share": (in_uncertainty("  motivation:", "  §bullying: {value: 1, basis: stated, source: survey}\n  motivation:"), "invalid-value", "no mean over pupils"),
    "deviation_wider_than_the_scale": (in_uncertainty("motivation: {value: 0.85", "motivation: {§value: 85"), "invalid-value", "at most 2"),
    "uncertainty_source_unknown": (in_uncertainty("source: grades", "§source: hearsay"), "invalid-value", "hearsay"),
}  # fmt: skip


@pytest.fixture
def own_home(rules_home: Settings) -> Settings:
    """A home with its own copy of every file that people write by hand."""
    for name in ("effects.yaml", "uncertainty.yaml", "services.yaml"):
        shutil.copyfile(REPOSITORY / "data" / name, rules_home.home / name)
    return rules_home


def findings_of(settings: Settings) -> list[Finding]:
    found: list[Finding] = []
    for load in (load_rules, load_effect_parameters, load_assumptions, load_services):
        try:
            load(settings)
        except RuleProblem as problem:
            found.extend(problem.findings)
    return found


def test_the_shipped_files_hold_no_mistake(own_home: Settings) -> None:
    assert findings_of(own_home) == []


@pytest.mark.parametrize("name", RULES)
def test_a_mistake_is_one_finding_at_its_line_and_column(name: str, own_home: Settings) -> None:
    make, code, words = RULES[name]
    place = make(own_home.home)
    found = findings_of(own_home)
    finding = found[-1]
    assert finding.code == code and (len(found) == 1 or code == "too-many-mistakes"), found
    assert (finding.file, finding.row, finding.column) == (place.file, place.line, f"column {place.column}"), finding
    assert words in finding.as_text()
    assert finding.message and finding.found and finding.expected and finding.fix


def test_mistakes_of_all_files_are_told_together(own_home: Settings) -> None:
    for mistake in (
        "grade_twice",
        "unknown_source",
        "impossible_school_year",
        "county_as_a_number",
        "public_cell_alone",
        "confidence_in_percent",
    ):
        RULES[mistake][0](own_home.home)
    files = [
        "rules/udir-2020.yaml",
        "rounds.yaml",
        "registers/county_governors.yaml",
        "registers/publication.yaml",
        "effects.yaml",
    ]
    assert [f.file for f in findings_of(own_home)] == files


@pytest.mark.parametrize(
    "make",
    [
        in_rule("level: {value: 0.15", "level: {value: 1.5e-1§"),
        in_rule("weight: {value: 1", "weight: {value: 0.3333§"),
        in_rule("quota: {value: 30", "quota: {value: 0§"),
        in_rule("[absolute_hit_share, pupils]", "[none, none]§"),
        in_rule("sources:\n", "sources:\n  unused: {text: Nothing rests on it§}\n"),
        limits("grade_points", "method: fixed, value: 41.5", "method: fixed, value: 39§"),
        limits("motivation", "method: fixed, values: {7: 3, 10: 2.9}", "method: fixed, values: {7: 3, 10: 2.5}§"),
        in_rounds("rounds:", "---\nrounds:§"),
        in_exceptions("kind: pseudo_unit, rounds: all", "kind: excluded, rounds: [np-2025]§"),
        in_exceptions('unit_level: municipality, unit_code: "2100"', 'unit_level: school, unit_code: "U99999999"§'),
        content("registers/exceptions.yaml", b"\xef\xbb\xbfexceptions: []\n"),
        in_governors('(oppdiktet)", counties: ["63"]', '(oppdiktet)", code: "F63", counties: ["63"]§'),
        in_governors('"34"], valid_from: 2020-01-01}', '"34"], valid_from: 2020-01-01, valid_to: 2023-12-31}\n  - {name: A, counties: ["34"], valid_from: 2024-01-01}§'),
        in_publication("min_pupils: {value: 10", "min_pupils: {value: 15§"),
    ],
)  # fmt: skip
def test_what_is_right_is_not_refused(make: Mistake, own_home: Settings) -> None:
    make(own_home.home)
    assert findings_of(own_home) == []


def test_files_that_a_program_has_written_are_read(own_home: Settings) -> None:
    before = load_rules(own_home)
    for path in sorted(own_home.home.rglob("*.yaml")):
        path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text(encoding="utf-8"))), encoding="utf-8")
    assert findings_of(own_home) == []
    after = load_rules(own_home)
    assert (after.rule_sets, after.rounds, after.exceptions) == (before.rule_sets, before.rounds, before.exceptions)


SLOW = {
    "brackets": "[" * 500_000, "braces": "{a: " * 250_000, "question_marks": "? " * 500_000, "open_quotation": '"' + "x\n" * 500_000,
    "one_long_key": "x" * 999_999, "blank_lines": "\n" * 999_999, "comment_marks": "#" * 999_999, "spaces": " " * 999_999 + "x",
    "digits": "a: " + "1" * 999_000, "folded_lines": "a: >\n" + "  x\n\n" * 190_000, "block_of_spaces": "a: |\n" + "   \n" * 240_000 + "  x",
    "escapes": 'a: "' + "\\x41" * 240_000 + '"', "anchors": "- &a x\n" * 140_000, "commas": "[" + "," * 999_000,
}  # fmt: skip


@pytest.mark.parametrize("name", SLOW)
def test_a_megabyte_of_anything_is_read_or_refused_in_seconds(name: str, rules_home: Settings) -> None:
    began = time.monotonic()
    document = parse_yaml(SLOW[name], "rounds.yaml")
    assert len(document.findings) <= 101 and all(f.row and f.column and f.fix for f in document.findings)
    rules_home.rounds.write_text(SLOW[name], encoding="utf-8")
    assert read_rounds(rules_home)[0] == () and read_rounds(rules_home)[1]  # the definitions look at it by themselves
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    "value", [bomb(30), b"!!python/object/apply:os.system [true]", b"0301", b"[1", b"\0", b"[" * 99_000]
)
def test_a_value_on_the_command_line_is_read_as_in_a_rule_file(value: bytes) -> None:
    for read in (lambda: parse(f"groups.average.quota={value.decode()}"), lambda: values_of(value.decode())):
        with pytest.raises(RuleProblem) as caught:
            read()
        assert caught.value.findings[0].code in {
            "yaml-alias",
            "yaml-tag",
            "ambiguous-value",
            "invalid-yaml",
            "wrong-encoding",
            "nested-too-deeply",
        }
    assert parse("a=25") == ("a", 25) and values_of("0.1,none,true") == [0.1, "none", True]


def test_the_doctor_names_a_broken_rule_file_of_a_home_in_which_nothing_was_ingested(rules_home: Settings) -> None:
    assert not [s.finding for s in doctor.examine(rules_home) if s.finding.code == "invalid-yaml"]
    (rules_home.home / "rounds.yaml").write_text("rounds: [\n")
    assert "invalid-yaml" in {s.finding.code for s in doctor.examine(rules_home)}
    done = CliRunner().invoke(main, ["--home", str(rules_home.home), "doctor"])
    assert done.exit_code == 1, "6 says that something stored is damaged"


def test_yaml_is_loaded_in_one_place() -> None:
    loads = re.compile(r"yaml\.\w*(?:load|Loader)\w*|\bYAML\(")
    found = {
        p.relative_to(REPOSITORY).as_posix()
        for p in (REPOSITORY / "dagster_project").rglob("*.py")
        if loads.search(p.read_text("utf-8"))
    }
    assert found == {"dagster_project/rules/reader.py"}
