"""Everything people read, in English and Norwegian.

A text stands in the code in English, in ``t._("...")`` with named placeholders, and in
``locale/nb/LC_MESSAGES/oppfolging.po`` in Norwegian. ``make words`` adds new texts to that file and takes out those
that are no longer used. The file is read as it is: there is nothing to compile.

The codes of the tables (indicators, statuses, grounds) have their English words in ``CODES``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from functools import cache, lru_cache
from gettext import NullTranslations
from pathlib import Path
from typing import Any

LOCALES = {"no": "nb", "en": "en"}
"""The languages of commands and files, and what Babel and HTML call them."""
LANGUAGES = tuple(LOCALES)
CATALOGUE = Path(__file__).parent / "locale" / "nb" / "LC_MESSAGES" / "oppfolging.po"
NOTHING = "-"


def N_(text: str) -> str:
    """Marks a text that is translated later, where the language is known."""
    return text


FICTIONAL = N_("FICTIONAL DATA")
INCOMPLETE = N_("INCOMPLETE, computed without")

CODES: dict[str, str] = {
    # indicators
    "bullying": N_("bullying"),
    "teacher_support": N_("support from teachers"),
    "motivation": N_("motivation"),
    "reading_level_1": N_("reading, mastery level 1"),
    "numeracy_level_1": N_("numeracy, mastery level 1"),
    "grade_points": N_("grade points"),
    "reading_scale_score": N_("reading, scale score"),
    "numeracy_scale_score": N_("numeracy, scale score"),
    # indicator areas
    "learning_environment": N_("learning environment"),
    "national_tests": N_("national tests"),
    # the state of a figure
    "observed": N_("visible"),
    "suppressed": N_("hidden"),
    "no_participants": N_("nobody took part"),
    "absent": N_("does not exist"),
    # why a figure is hidden in the public edition
    "shown": N_("shown"),
    "hidden_restricted": N_("hidden in the public view of the source"),
    "hidden_small": N_("hidden, too few pupils"),
    "hidden_complementary": N_("hidden, otherwise another hidden figure could be worked out"),
    "hidden_at_source": N_("hidden in the source"),
    "no_figure": N_("no figure"),
    # where a figure comes from
    "published": N_("published"),
    "carried": N_("published under an earlier number"),
    "recomputed": N_("computed from the schools"),
    # units
    "municipality": N_("municipality"),
    "school": N_("school"),
    "county": N_("county"),
    "national": N_("nation"),
    # groups and outcomes
    "average": N_("Average-based selection"),
    "spread": N_("Spread-based selection"),
    "selected": N_("selected"),
    "proposed": N_("proposed"),
    "candidate": N_("candidate"),
    "reserve": N_("reserve"),
    "declined": N_("declined"),
    "excluded": N_("excluded"),
    "not_listed": N_("on neither list"),
    "arithmetic": N_("by the rule alone"),
    "outcome": N_("after priorities and decisions"),
    "inside": N_("within the quota"),
    "outside": N_("outside the quota"),
    "entered": N_("new on the list"),
    "left": N_("no longer on the list"),
    # the official list of a round and the computed one
    "both": N_("on both lists"),
    "only_official": N_("only on the official list"),
    "only_computed": N_("only on the computed list"),
    # the state of a round
    "round_draft": N_("draft"),
    "round_candidates": N_("waiting for county governors"),
    "round_prioritised": N_("waiting for Udir's decisions"),
    "round_final": N_("final"),
    "round_closed": N_("follow-up has ended"),
    "round_followed": N_("being followed up"),
    # what county governors advise and Udir decides
    "do_not_take": N_("should not be selected"),
    "accept": N_("accepts"),
    "decline": N_("declines"),
    "exclude": N_("is excluded"),
    "withdrew": N_("withdraws"),
    "called_up": N_("is called up from the reserve list"),
    # why a unit is not rated
    "pseudo_unit": N_("not a municipality"),
    "no_visible_cells": N_("no visible figures"),
    "low_coverage": N_("too few visible figures"),
    "too_few_areas": N_("figures in too few indicator areas"),
    "private": N_("private school"),
    "closed": N_("closed before the selection date"),
    "ownership_unknown": N_("ownership unknown"),
    "no_municipality": N_("not in any municipality"),
    "special_school": N_("special school"),
    # where a choice of the rule comes from
    "stated": N_("stated by the source"),
    "inferred": N_("inferred"),
    "placeholder": N_("ASSUMED, not published by anybody"),
    # what decides between equal shares
    "absolute_hit_share": N_("share of figures worse than the absolute limit"),
    "municipality_code": N_("municipality number"),
    "pupils": N_("number of pupils"),
    "none": N_("nothing more"),
    # a municipality that changed its number
    "unchanged": N_("unchanged"),
    "renumbered": N_("new number"),
    "merged": N_("merged"),
    "split": N_("split"),
    # exceptions
    "register": N_("register of exceptions"),
    "cohort": N_("already in the scheme"),
    # reports
    "received": N_("received"),
    "received_late": N_("received late"),
    "overdue": N_("overdue"),
    "not_due": N_("not due yet"),
    "guides": N_("guides"),
    "county_governor": N_("county governor"),
    "competence_environment": N_("competence environment"),
    "all": N_("all"),
    # the data of a round
    "official": N_("official figures"),
    "fictional": N_("fictional"),
    "public": N_("public"),
}
"""What people read for the codes of the tables."""


class Texts:
    """Texts, numbers and dates in one language."""

    def __init__(self, locale: str, translations: NullTranslations) -> None:
        self._locale, self._translations = locale, translations

    def _(self, text: str, **values: object) -> str:
        """The text in this language, with the values in place of ``{names}``: numbers and dates as it writes them."""
        return self._filled(self._translations.gettext(text), values)

    def ngettext(self, one: str, several: str, count: int, **values: object) -> str:
        """The same, for a text that depends on a number, which is ``{count}`` in it."""
        return self._filled(self._translations.ngettext(one, several, count), {"count": count, **values})

    def code(self, code: str | None) -> str:
        """The words for a code of the tables, or the code itself when it has none."""
        if code is None:
            return NOTHING
        return self._(CODES[code]) if code in CODES else code

    def yes_or_no(self, value: object) -> str:
        """The answer to a question."""
        return self._("yes") if value else self._("no")

    def number(self, value: object) -> str:
        """An exact number without trailing zeros; binary fractions to six decimals. Empty for None."""
        if value is None:
            return ""
        exact: Any = Decimal(f"{value:.6f}") if isinstance(value, float) else value
        return _decimal(exact, "0.#", self._locale, False)

    def rounded(self, value: float, digits: int) -> str:
        """A number with so many decimals."""
        return _decimal(Decimal(f"{value:.{digits}f}"), f"0.{'0' * digits}", self._locale, True)

    def percent(self, share: float | None, digits: int = 1) -> str:
        """A share (0..1) as a percentage."""
        return NOTHING if share is None else f"{self.rounded(100 * share, digits)} %"

    def date(self, day: dt.date) -> str:
        """A day: 15.02.2026 in Norwegian, 2026-02-15 in English."""
        from babel.dates import format_date

        return format_date(day, self._("yyyy-MM-dd"), self._locale)

    def _filled(self, text: str, values: dict[str, object]) -> str:
        return text.format_map({name: self._shown(value) for name, value in values.items()}) if values else text

    def _shown(self, value: object) -> str:
        if value is None:
            return NOTHING
        if isinstance(value, dt.date):
            return self.date(value)
        return value if isinstance(value, str) else self.number(value)


@lru_cache(maxsize=50_000)
def _decimal(exact: Any, pattern: str, locale: str, quantized: bool) -> str:
    """A number as a language writes it; pages hold the same ones many times."""
    from babel.numbers import format_decimal

    return format_decimal(exact, pattern, locale, decimal_quantization=quantized)


@cache
def texts(lang: str) -> Texts:
    """The texts of a language: ``no`` or ``en``, or the name of its locale."""
    locale = LOCALES.get(lang, lang)
    return Texts(locale, CATALOGUES[locale]())


def both(text: str, **values: object) -> str:
    """A text in both languages, the Norwegian first, for what everybody reads in one copy."""
    said = [texts(lang)._(text, **values) for lang in LANGUAGES]
    return " / ".join(dict.fromkeys(said))


def both_of_code(code: str) -> str:
    """The words for a code of the tables in both languages, or the code itself when it has none."""
    return both(CODES[code]) if code in CODES else code


def plain_name(identifier: str) -> str:
    """A name made for programs as people write it: ``uttrekk_2024`` is uttrekk 2024."""
    return identifier.replace("_", " ")


def _read_catalogue() -> NullTranslations:
    """The Norwegian catalogue, ready to be looked up in. It takes 0.05 s, once in a process."""
    from io import BytesIO

    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po
    from babel.support import Translations

    with CATALOGUE.open("rb") as file:
        catalogue = read_po(file, locale="nb")
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(compiled)


CATALOGUES: dict[str, Callable[[], NullTranslations]] = {"nb": _read_catalogue, "en": NullTranslations}
"""How the texts of a locale are found: the code holds the English ones."""
