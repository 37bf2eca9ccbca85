"""A rule set in words, for the notes sheet of a spreadsheet and for explanations."""

from __future__ import annotations

from dagster_project.rules.model import Choice, Limit, RuleSet, Sourced

BASIS = {
    "stated": "stated by the source / oppgitt i kilden",
    "inferred": "inferred / utledet",
    "placeholder": "PLACEHOLDER, not published by anybody / PLASSHOLDER, ikke publisert",
}


def choice_text(entry: Sourced, lang: str) -> str:
    """The value of one choice in words, ``no`` or ``en``, without its note."""

    def limit(entry: Limit) -> tuple[str, str]:
        fixed = entry.value if entry.values is None else entry.values
        return {
            "published": ("publisert nasjonal verdi samme år", "the published national value of the same year"),
            "fixed": (f"fastsatt til {fixed}", f"fixed at {fixed}"),
            "percentile": (
                f"de svakeste {entry.percentile} % av skolene i {entry.base_year}",
                f"the worst {entry.percentile} % of schools in {entry.base_year}",
            ),
            "mean_sd": (
                f"skolenes gjennomsnitt og {entry.k} standardavvik i {entry.base_year}",
                f"the mean of schools and {entry.k} standard deviations in {entry.base_year}",
            ),
        }[entry.method]

    if isinstance(entry, Limit):
        return limit(entry)[lang == "en"]
    if isinstance(entry, Choice):
        return ", ".join(str(v) for v in entry.value) if isinstance(entry.value, tuple) else str(entry.value)
    return ""


def value_in_words(entry: Sourced) -> str:
    """The value of a choice, or how a limit is found, in both languages where they differ."""
    english, norwegian = choice_text(entry, "en"), choice_text(entry, "no")
    return english if english == norwegian else f"{english} / {norwegian}"


def describe(rules: RuleSet) -> list[str]:
    """One line per choice: path, value, basis, source and note; placeholders first so that nobody misses them."""
    lines = [f"{rules.title} ({rules.rule_set}, {rules.scheme_version})"]
    if rules.placeholders:
        lines.append(
            f"ILLUSTRATIVE: {len(rules.placeholders)} choices are placeholders / "
            f"ILLUSTRASJON: {len(rules.placeholders)} valg er plassholdere"
        )
    entries = sorted(rules.sourced(), key=lambda item: item[1].basis != "placeholder")
    for path, entry in entries:
        source = rules.sources[entry.source]
        note = f" ({entry.note})" if entry.note else ""
        where = f"{source.text}, {source.url}" if source.url else source.text
        lines.append(f"{path}: {value_in_words(entry)}{note}; {BASIS[entry.basis]}; {where}")
    return lines
