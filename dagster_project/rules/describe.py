"""A rule set in words, for the notes sheet of a workbook and for explanations."""

from __future__ import annotations

from dagster_project.pages.words import LANGUAGES, N_, Texts, both, both_of_code, texts
from dagster_project.rules.model import Choice, Limit, RuleSet, Sourced


def choice_text(entry: Sourced, t: Texts) -> str:
    """The value of one choice in words, without its note."""
    if isinstance(entry, Limit):
        return _limit_text(entry, t)
    if isinstance(entry, Choice):
        return ", ".join(str(v) for v in entry.value) if isinstance(entry.value, tuple) else str(entry.value)
    return ""


def _limit_text(entry: Limit, t: Texts) -> str:
    fixed = entry.value if entry.values is None else entry.values
    return {
        "published": t._("the published national figure of the same year"),
        "fixed": t._("set to {value}", value=str(fixed)),
        "percentile": t._("the weakest {percentile} % of the schools in {year}", percentile=entry.percentile,
                          year=entry.base_year),
        "mean_sd": t._("the schools' mean and {k} standard deviations in {year}", k=entry.k, year=entry.base_year),
    }[entry.method]  # fmt: skip


def value_in_words(entry: Sourced) -> str:
    """The value of a choice, or how a limit is found, in both languages where they differ."""
    return " / ".join(dict.fromkeys(choice_text(entry, texts(lang)) for lang in LANGUAGES))


def describe(rules: RuleSet) -> list[str]:
    """One line per choice: path, value, basis, source and note; placeholders first so that nobody misses them."""
    lines = [f"{rules.title} ({rules.rule_set}, {rules.scheme_version})"]
    if rules.placeholders:
        lines.append(
            both(N_("ILLUSTRATIVE: limits that are assumed, not Udir's: {count}"), count=len(rules.placeholders))
        )
    entries = sorted(rules.sourced(), key=lambda item: item[1].basis != "placeholder")
    for path, entry in entries:
        source = rules.sources[entry.source]
        note = f" ({entry.note})" if entry.note else ""
        where = f"{source.text}, {source.url}" if source.url else source.text
        lines.append(f"{path}: {value_in_words(entry)}{note}; {both_of_code(entry.basis)}; {where}")
    return lines
