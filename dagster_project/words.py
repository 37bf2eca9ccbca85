"""What people read for what programs call it, Norwegian and English side by side.

A name nobody has put into words is shown as it stands.
"""

from __future__ import annotations

LANGUAGES = ("no", "en")

WORDS: dict[str, tuple[str, str]] = {
    # indicators
    "bullying": ("mobbing", "bullying"),
    "teacher_support": ("støtte fra lærerne", "support from teachers"),
    "motivation": ("motivasjon", "motivation"),
    "reading_level_1": ("lesing, mestringsnivå 1", "reading, mastery level 1"),
    "numeracy_level_1": ("regning, mestringsnivå 1", "numeracy, mastery level 1"),
    "grade_points": ("grunnskolepoeng", "grade points"),
    "reading_scale_score": ("lesing, skalapoeng", "reading, scale score"),
    "numeracy_scale_score": ("regning, skalapoeng", "numeracy, scale score"),
    # states
    "observed": ("synlig", "visible"),
    "suppressed": ("skjult", "hidden"),
    "no_participants": ("ingen deltok", "nobody took part"),
    "absent": ("finnes ikke", "absent"),
    # groups and statuses
    "average": ("Gjennomsnittsuttrekket", "Average group"),
    "spread": ("Spredningsuttrekket", "Spread group"),
    "selected": ("trukket ut", "selected"),
    "candidate": ("kandidat", "candidate"),
    "reserve": ("reserve", "reserve"),
    "declined": ("takket nei", "declined"),
    "excluded": ("holdt utenfor", "excluded"),
    "not_listed": ("på ingen av listene", "on neither list"),
    # where a round stands
    "round_draft": ("utkast", "draft"),
    "round_candidates": ("kandidatene er til prioritering", "the candidates await priorities"),
    "round_prioritised": ("prioritert, Udir beslutter", "prioritised, Udir decides"),
    "round_final": ("endelig", "final"),
    "round_closed": ("oppfølgingen er avsluttet", "the follow-up is over"),
    # decisions
    "accept": ("takker ja", "accepts"),
    "decline": ("takker nei", "declines"),
    "exclude": ("tas ut", "is left out"),
    "withdrew": ("trekker seg", "withdraws"),
    "called_up": ("kalles opp fra reserve", "is called up from the reserve"),
    # why not rated
    "pseudo_unit": ("står i filene, men er ingen kommune", "it stands in the files but is no municipality"),
    "no_visible_cells": ("alle tallene er skjult", "every figure of it is hidden"),
    "low_coverage": ("for mange av tallene er skjult", "too many of its figures are hidden"),
    "too_few_areas": ("for få indikatorområder er synlige", "too few indicator areas are visible"),
    "private": ("privat skole", "a private school"),
    "closed": ("nedlagt før uttrekksdatoen", "closed before the selection date"),
    "ownership_unknown": ("ukjent eierform", "its ownership is unknown"),
    "no_municipality": ("ligger ikke i noen kommune", "it lies in no municipality"),
    "special_school": ("spesialskole", "a special school"),
    # basis
    "stated": ("oppgitt i kilden", "stated by the source"),
    "inferred": ("utledet", "inferred"),
    "placeholder": ("PLASSHOLDER, ikke publisert av noen", "PLACEHOLDER, published by nobody"),
    # headings
    "decision": ("Resultatet", "The outcome"),
    "share": ("Andelen", "The share"),
    "doubt": ("Hvor sikker plassen er", "How sure the rank is"),
    "differ": ("Hva måtte vært annerledes", "What would have had to differ"),
    "neighbours": ("Naboer i rangeringen", "Neighbours in rank"),
    "schools": ("Kommunens skoler", "The municipality's schools"),
    "points": ("Poengene, tall for tall", "The points, figure by figure"),
    "limits": ("Grensene og hvor de kommer fra", "The limits and where they come from"),
    "sources": ("Kildene", "The sources"),
    "files": ("Filene", "The files"),
    "rule": ("Regelen", "The rule"),
    "provenance": ("Hvordan dette er regnet ut", "How this was computed"),
    # columns
    "indicator": ("indikator", "indicator"),
    "grade": ("trinn", "grade"),
    "year": ("skoleår", "year"),
    "state": ("status", "state"),
    "value": ("verdi", "value"),
    "pupils": ("elever", "pupils"),
    "national": ("nasjonal grense", "national limit"),
    "absolute": ("absolutt nedre grense", "absolute limit"),
    "given": ("poeng", "points"),
    "weight": ("vekt", "weight"),
    "weighted": ("vektede poeng", "weighted points"),
    "possible": ("mulige poeng", "possible points"),
    "sum": ("sum", "sum"),
    "rank": ("plass", "rank"),
    "municipality": ("kommune", "municipality"),
    "school": ("skole", "school"),
    "share_column": ("andel", "share"),
    "limit": ("grense", "limit"),
    "how": ("hvordan", "how"),
    "file": ("fil", "file"),
    "hash": ("SHA-256", "SHA-256"),
    "line": ("linje", "line"),
    "column": ("kolonne", "column"),
    "raw": ("cellen", "cell"),
    "unit": ("enhet", "unit"),
    "use": ("brukt til", "used for"),
    "needed": ("måtte vært", "needed"),
    "steps": ("steg", "steps"),
    "in_pupils": ("i elever", "in pupils"),
    "points_change": ("poeng da", "points then"),
    "share_after": ("andel da", "share then"),
    "spread_after": ("spredning da", "spread then"),
    "outcome": ("utfall", "outcome"),
    "taken": ("tas", "taken"),
    "not_taken": ("tas ikke", "not taken"),
    "among_worst": ("blant landets svakeste", "among the nation's worst"),
    "not_among_worst": ("ikke blant landets svakeste", "not among the nation's worst"),
    "rank_interval": ("plass fra og til", "rank from and to"),
    "probability": ("tas i", "taken in"),
    "probability_worst": ("blant svakeste i", "among the worst in"),
    "choice": ("valg", "choice"),
    "basis": ("grunnlag", "basis"),
    "source": ("kilde", "source"),
    "worst_quartile": ("blant landets svakeste", "among the nation's worst"),
    "coverage": ("dekning", "coverage"),
    "yes": ("ja", "yes"),
    "no": ("nei", "no"),
    # what separates equal shares
    "absolute_hit_share": ("andel dårligere enn absolutt nedre grense", "part worse than the absolute limit"),
    "municipality_code": ("kommunenummer", "municipality number"),
    "none": ("ingenting mer", "nothing more"),
    # areas
    "learning_environment": ("læringsmiljø", "learning environment"),
    "national_tests": ("nasjonale prøver", "national tests"),
    # where a value comes from
    "published": ("publisert", "published"),
    "carried": ("publisert under et tidligere nummer", "published under an earlier number"),
    "recomputed": ("regnet ut fra skolene", "worked out from the schools"),
    "official": ("offisielle tall", "official figures"),
    "fictional": ("oppdiktet", "fictional"),
    "public": ("offentlig", "public"),
}


def word(key: str | None, lang: str) -> str:
    """A name in the language, or the name itself."""
    if key is None:
        return "-"
    return WORDS[key][LANGUAGES.index(lang)] if key in WORDS else key


def number(value: object, lang: str) -> str:
    """An exact number without trailing zeros; Norwegian with a decimal comma. Empty for None."""
    if value is None:
        return ""
    text = str(value) if isinstance(value, int) else f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text.replace(".", ",") if lang == "no" else text


def percent(share: float | None, lang: str, digits: int = 1) -> str:
    """A share (0..1) as a percentage."""
    text = "-" if share is None else f"{100 * share:.{digits}f} %"
    return text.replace(".", ",") if lang == "no" else text
