"""Texts of pages in one language, with the numbers that stand on thousands of them written once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from functools import cache, lru_cache

from markupsafe import Markup

from dagster_project.pages.words import LANGUAGES, LOCALES, N_, Texts, texts
from dagster_project.publication.notes import TABLES
from dagster_project.publication.site.facts import Facts, Gap

DASH = "–"
FOLDERS = dict(zip(LANGUAGES, ("", *(f"{lang}/" for lang in LANGUAGES[1:])), strict=True))
"""Where a language has its pages: the first at the top of the site, the others in folders of their own."""
NAMES = {"no": N_("Norwegian"), "en": N_("English")}


class Speech:
    """A language as the templates use it. Numbers are cached: most occur on many pages."""

    def __init__(self, lang: str) -> None:
        self.lang, self.locale, self.folder = lang, LOCALES[lang], FOLDERS[lang]
        self.texts: Texts = texts(lang)
        self._plain = lru_cache(maxsize=None)(self.texts._)
        self.rounded = lru_cache(maxsize=None)(self._rounded)
        self.whole = lru_cache(maxsize=None)(self._whole)
        self.grade = lru_cache(maxsize=None)(self._grade)
        self.code = lru_cache(maxsize=None)(self.texts.code)

    @property
    def others(self) -> list[Speech]:
        """The other languages of the site."""
        return [speech(lang) for lang in LANGUAGES if lang != self.lang]

    def _(self, text: str, **values: object) -> str:
        if not values:
            return self._plain(text)
        return self.texts._(text, **{k: self.whole(v) if isinstance(v, int) else v for k, v in values.items()})

    def ngettext(self, one: str, several: str, count: int, **values: object) -> str:
        return self.texts.ngettext(one, several, count, **values)

    def _rounded(self, value: float | Decimal | None, digits: int = 1) -> str:
        return DASH if value is None else self.texts.rounded(float(value), digits)

    def _whole(self, value: int | None) -> str:
        """A whole number, its thousands apart by a narrow space that does not break."""
        return DASH if value is None else f"{value:,}".replace(",", "\u202f")

    def percent(self, share: float | None, digits: int = 1) -> str:
        """A share (0..1) as a percentage."""
        return DASH if share is None else f"{self.rounded(100 * share, digits)}\u00a0%"

    def of_hundred(self, probability: float | None) -> str:
        """A probability as so many of a hundred."""
        return DASH if probability is None else self.rounded(100 * probability, 0)

    def money(self, amount: Decimal | None) -> str:
        """Whole kroner."""
        return DASH if amount is None else f"{self.whole(int(amount))}\u00a0kr"

    def day(self, day: dt.date | None) -> str:
        """A day in the form of the language."""
        return DASH if day is None else self.texts.date(day)

    def joined(self, names: Sequence[str]) -> str:
        """Names as a sentence has them: a, b and c; with semicolons where a name has a comma of its own."""
        if len(names) < 2:
            return "".join(names)
        between = "; " if any("," in name for name in names) else ", "
        return self._("{names} and {last}", names=between.join(names[:-1]), last=names[-1])

    def gap(self, gap: Gap) -> str:
        """What a round does without, and why that was accepted."""
        if not gap.indicator:
            return gap.reason
        return f"{self.grade(gap.indicator, gap.grade)}, {gap.school_year}: {gap.reason}"

    def title(self, facts: Facts) -> str:
        return facts.title(self.lang)

    def on_paper(self, facts: Facts, public: bool) -> Markup:
        """A style sheet that writes at the foot of every printed sheet what it is of."""
        said = [
            self.title(facts), *([self._("Withdrawn")] if facts.withdrawn else []),
            *([self._("Public edition")] if public else []), *([self._("Invented data")] if facts.fictional else []),
            self._("published {day}", day=self.day(facts.day)),
        ]  # fmt: skip
        plain = (c if c.isalnum() or c in " .,-" else f"\\{ord(c):x} " for c in " · ".join(said))
        return Markup(f'@page {{ @bottom-left {{ content: "{"".join(plain)}"; }} }}\n')

    def language(self) -> str:
        """The name of the language, in itself."""
        return self._(NAMES[self.lang])

    def table(self, name: str) -> str:
        return self._(TABLES[name])

    def _grade(self, indicator: str, grade: int | None) -> str:
        """An indicator with its grade; all grades together have none."""
        name = self.code(indicator)
        name = name[:1].upper() + name[1:]
        return name if grade is None else self._("{indicator}, grade {grade}", indicator=name, grade=str(grade))


@cache
def speech(lang: str) -> Speech:
    """The speech of a language, once in a process."""
    return Speech(lang)
