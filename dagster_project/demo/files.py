"""Write the files of Fabelland as the statistics bank, the export API, the register and SSB write theirs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dagster_project.demo import pivots
from dagster_project.demo.geography import NATION, PSEUDO_MUNICIPALITY, REFORM, Country, county_name
from dagster_project.demo.results import Figures, Year
from dagster_project.schema import school_year_label

UNIT_COLUMNS = ("EnhetNivaa", "Nasjonaltkode", "Fylkekode", "Kommunekode", "Organisasjonsnummer", "Nasjonalt", "Fylke",
                "Kommune", "EnhetNavn")  # fmt: skip
RETIRED = " (2016 - 2023)"
ABROAD = "Utlandet (oppdiktet)"
ABROAD_PUPILS = 37


@dataclass(frozen=True)
class View:
    """How the figures are had: with ``starred`` by somebody with access to hidden ones, with ``units`` as pivots.

    ``units`` are the unit cells of every unit that any file names, since pivots know units by internal ids.
    """

    starred: bool = False
    units: tuple[tuple[str, ...], ...] = ()

    def write(self, path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> Path:
        """Write a table of the statistics bank, as its download or as a pivot."""
        if self.units:
            return pivots.write_pivot(path.with_suffix(".json"), header, rows, self.units)
        return write_utf16(path, header, rows)


NEW_CODES_OF_THE_YEAR_2025 = 2025


def comma(value: float, decimals: int) -> str:
    """A number with a decimal comma, halves away from zero as the statistics bank rounds."""
    scaled = int(abs(value) * 10**decimals + 0.5)
    whole, part = divmod(scaled, 10**decimals)
    return f"{whole},{part:0{decimals}d}" if decimals else str(whole)


def seen(text: str, hidden: bool, view: View) -> str:
    """A cell as it is shown: the figure, a star for a hidden one, or both to those with access to hidden figures."""
    return f"{text}*" if hidden and view.starred else "*" if hidden else text


def thousands(value: int) -> str:
    """A count with a blank between thousands."""
    return f"{value:,}".replace(",", " ")


def unit_rows(year: Year) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Position in the arrays of ``Year.levels`` and the nine unit cells, nation first, schools last."""
    country, lists = year.country, year.municipalities
    schools, m = len(country.schools.code), len(lists.code)
    counties = len(year.counties)
    trail = " " if year.start >= NEW_CODES_OF_THE_YEAR_2025 else ""
    retired = set(country.before.code) - set(country.after.code)
    gone = {c[:2] for c in country.before.code} - {c[:2] for c in country.after.code}

    def county(code: str) -> str:
        return county_name(code, after=year.after) + (RETIRED if code in gone and not year.after else "")

    def name(i: int) -> str:
        return lists.name[i] + (RETIRED if lists.code[i] in retired and not year.after else "")

    yield (
        schools + m + counties,
        ("1", "I", "00", "0000", "I", NATION, "Alle fylker", "Alle kommuner", "Alle skoler" + trail),
    )
    for i, code in enumerate(year.counties):
        yield (
            schools + m + i,
            ("2", "I", code, "0000", code, NATION, county(code), "Alle kommuner", "Alle skoler" + trail),
        )
    for i, code in enumerate(lists.code):
        yield schools + i, ("3", "I", code[:2], code, code, NATION, county(code[:2]), name(i), "Alle skoler" + trail)
    for i in np.flatnonzero(year.open).tolist():
        at = int(year.of[i])
        code = lists.code[at]
        blank = " " if trail or i % 17 == 0 else ""
        yield i, ("4", "I", code[:2], code, country.schools.code[i], NATION, county(code[:2]), name(at),
                  country.schools.name[i] + blank)  # fmt: skip


def rows_abroad() -> Iterator[tuple[str, ...]]:
    """The unit cells of the schools abroad, which have a row of their own on every level, the nation's among them."""
    place = (ABROAD, "Utlandet", "Utlandet, uspesifisert")
    yield ("1", "U", "00", "0000", "U", ABROAD, "Alle fylker", "Alle kommuner", "Alle skoler")
    yield ("2", "U", "25", "0000", "25", ABROAD, "Utlandet", "Alle kommuner", "Alle skoler")
    yield ("3", "U", "25", "2599", "2599", *place, "Alle skoler")
    yield ("4", "U", "25", "2599", "U90000001", *place, "Fabelskolen i utlandet")


def write_utf16(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> Path:
    """A download of the statistics bank: UTF-16 without byte order mark, a ``sep=`` line, tabs."""
    with path.open("w", encoding="utf-16-le", newline="\n") as handle:
        handle.write("sep=\t\n" + "\t".join(header) + "\n")
        handle.writelines("\t".join(row) + "\n" for row in rows)
    return path


def write_tests(
    path: Path, year: Year, grade: int, results: dict[tuple[str, str], tuple[Figures, list[Figures]]], view: View
) -> Path:
    """National tests of one grade and year. ``results``: scale score and shares on levels by (subject, ownership)."""
    label = school_year_label(year.start)
    header = list(UNIT_COLUMNS)
    for (subject, ownership), (_, levels) in results.items():
        stem = f"{label}.{subject}.{grade}. årstrinn.{ownership}.Alle kjønn."
        header += [stem + m for m in ("Skalapoeng", "Usikkerhet", "Antall elever deltatt")]
        header += [f"{stem}Mestringsnivå {number}" for number in range(1, len(levels) + 1)]
    schools = len(year.country.schools.code)
    with_grade = year.has_grade(grade)
    nobody = "0" if year.start < NEW_CODES_OF_THE_YEAR_2025 else ""

    def rows() -> Iterator[list[str]]:
        for at, unit in unit_rows(year):
            if at < schools and not with_grade[at]:
                continue
            cells = list(unit)
            for (_, ownership), (score, levels) in results.items():
                n = int(score.n[at])
                if n == 0:
                    cells += ["", "", nobody if ownership == "Alle eierformer" else "", *("" for _ in levels)]
                    continue
                figures = [comma(float(score.value[at]), 0), comma(1.96 * 9.0 / n**0.5, 1), thousands(n)]
                figures += [comma(100 * float(level.value[at]), 1) for level in levels]
                cells += [seen(text, bool(score.hidden[at]), view) for text in figures]
            yield cells
        for unit in rows_abroad():
            cells = list(unit)
            for (_, ownership), (score, levels) in results.items():
                if ownership != "Alle eierformer":
                    cells += ["", "", "", *("" for _ in levels)]
                    continue
                figures = [comma(float(score.value[-1]) + 4, 0), comma(1.96 * 9.0 / ABROAD_PUPILS**0.5, 1)]
                cells += [*figures, str(ABROAD_PUPILS), *(comma(100 / len(levels), 1) for _ in levels)]
            yield cells

    return view.write(path, header, rows())


def write_grade_points(path: Path, years: Sequence[Year], results: Sequence[dict[str, Figures]], view: View) -> Path:
    """Grade points of several years side by side; a unit whose code changed has a row for each code."""
    header = list(UNIT_COLUMNS)
    for year in years:
        for ownership in ("Alle eierformer", "Offentlig skole"):
            stem = f"{school_year_label(year.start)}.{ownership}.Alle kjønn."
            header += [stem + "Grunnskolepoeng", stem + "Antall elever"]
    table: dict[tuple[str, ...], dict[int, list[str]]] = {}
    names: dict[tuple[str, ...], tuple[str, ...]] = {}
    for position, (year, figures) in enumerate(zip(years, results, strict=True)):
        schools, with_grade = len(year.country.schools.code), year.has_grade(10)
        for at, unit in unit_rows(year):
            if at < schools and not with_grade[at]:
                continue
            cells = []
            for ownership in ("Alle eierformer", "Offentlig skole"):
                f = figures[ownership]
                texts = [comma(float(f.value[at]), 1), thousands(int(f.n[at]))] if f.n[at] else ["", ""]
                cells += [seen(text, bool(f.hidden[at] and f.n[at]), view) for text in texts]
            key = (unit[0], unit[3], unit[4])
            names.setdefault(key, unit)
            table.setdefault(key, {})[position] = cells
    blank = [""] * 4
    order = sorted(table, key=lambda k: (k[0], k[1], k[2]))
    rows = [[*names[k], *(c for p in range(len(years)) for c in table[k].get(p, blank))] for k in order]
    points = [comma(float(figures["Alle eierformer"].value[-1]) + 2, 1) for figures in results]
    rows += [[*unit, *(c for p in points for c in (p, str(ABROAD_PUPILS), "", ""))] for unit in rows_abroad()]
    return view.write(path, header, rows)


def survey_rows(
    year: Year, group_key: str, value_key: str,
    results: dict[tuple[str, int, str], tuple[Figures, int]], absent: set[tuple[str, int]], view: View,
) -> Iterator[dict[str, str | None]]:  # fmt: skip
    """Rows of the export API. ``results`` maps (indicator, grade, ownership) to figures and decimals."""
    schools = len(year.country.schools.code)

    def row(unit: Sequence[str], indicator: str, grade: int, ownership: str, value: str, n: str) -> dict[str, Any]:
        return {
            "SpoersmaalNivaa": "1", group_key: indicator, "Spoersmaalnavn": "Alle spørsmål",
            "Skoleaarnavn": school_year_label(year.start), **dict(zip(UNIT_COLUMNS, unit, strict=True)),
            "GruppeNivaa": "0", "TrinnKode": str(grade), "Trinnnavn": f"{grade}. trinn", "EierformNavn": ownership,
            "KjoennKode": "A", "Kjoenn": "Alle kjønn", value_key: value, "AntallBesvart": n,
        }  # fmt: skip

    for at, unit in unit_rows(year):
        for (indicator, grade, ownership), (figures, decimals) in results.items():
            if figures.n[at] == 0 or (unit[0] == "3" and (unit[3], grade) in absent):
                continue
            if ownership != "Alle eierformer" and at < schools:
                continue
            texts = comma(float(figures.value[at]), decimals), thousands(int(figures.n[at]))
            value, n = (seen(text, bool(figures.hidden[at]), view) for text in texts)
            yield row(unit, indicator, grade, ownership, value, n)
    for unit in rows_abroad():
        for (indicator, grade, ownership), (figures, decimals) in results.items():
            if ownership == "Alle eierformer":
                yield row(unit, indicator, grade, ownership, comma(float(figures.value[-1]), decimals),
                          str(ABROAD_PUPILS))  # fmt: skip


def pages(rows: Iterable[dict[str, str | None]], size: int | None = None) -> list[list[dict[str, str | None]]]:
    """The pages of one answer of the export API: ``size`` rows each but for the last, or one page."""
    every = list(rows)
    size = size or len(every)
    return [
        [
            {**row, "Sidenummer": str(number), "RaderSide": str(size), "RaderTotalt": str(len(every))}
            for row in every[at : at + size]
        ]
        for number, at in enumerate(range(0, len(every), size), start=1)
    ]


def write_json_rows(path: Path, rows: Iterable[dict[str, str | None]]) -> Path:
    """A JSON list, one object a line."""
    encode = json.JSONEncoder(ensure_ascii=False).encode
    with path.open("w", encoding="utf-8", newline="\n") as handle:
        for number, row in enumerate(rows):
            handle.write("[\n" if number == 0 else ",\n")
            handle.write(encode(row))
        handle.write("\n]\n")
    return path


def write_csv_rows(path: Path, rows: Iterable[dict[str, str | None]]) -> Path:
    """The same rows as the CSV of the export API: semicolons, UTF-8 with byte order mark."""
    with path.open("w", encoding="utf-8-sig", newline="\n") as handle:
        for number, row in enumerate(rows):
            if number == 0:
                handle.write(";".join(row) + "\n")
            handle.write(";".join(value or "" for value in row.values()) + "\n")
    return path


def write_register(path: Path, country: Country) -> Path:
    """The school register after the reform, one page of a list."""
    schools, lists = country.schools, country.after
    units = []
    for i, code in enumerate(schools.code):
        municipality = lists.code[schools.new[i]]
        closed = schools.closes[i] < 9999
        units.append(
            {
                "Organisasjonsnummer": code, "Navn": schools.name[i], "FulltNavn": schools.name[i],
                "Karakteristikk": None, "Fylkesnummer": municipality[:2], "Kommunenummer": municipality,
                "ErAktiv": not closed, "ErSkole": True, "ErSkoleeier": False, "ErGrunnskole": True,
                "ErVideregaaendeSkole": False, "ErPrivatskole": bool(schools.private[i]),
                "ErOffentligSkole": not schools.private[i], "ErSpesialskole": bool(schools.special[i]),
                "ErGrunnopplaering": True,
                "UtgaattDato": f"{schools.closes[i]}-08-01T00:00:00+00:00" if closed else None,
                "Skolekategorier": [{"Id": "1", "Navn": "Grunnskole"}], "DatoEndret": "2026-01-05T08:00:00.00+00:00",
            }
        )  # fmt: skip
    page = {"Sidenummer": 1, "AntallPerSide": len(units), "AntallSider": 1, "TotaltAntallEnheter": len(units),
            "EnhetListe": units}  # fmt: skip
    path.write_text(json.dumps(page, ensure_ascii=False), encoding="utf-8")
    return path


def write_codes(folder: Path, country: Country) -> list[Path]:
    """Klass: the changes of the reform and both lists of municipalities."""
    changes = [
        {"oldCode": o, "oldName": on, "oldShortName": "", "newCode": n, "newName": nn, "newShortName": "",
         "changeOccurred": REFORM}
        for o, on, n, nn in country.changes
    ]  # fmt: skip
    paths = [folder / "fabelland_klass131_endringer.json"]
    paths[0].write_text(json.dumps({"codeChanges": changes}, ensure_ascii=False, indent=1), encoding="utf-8")
    for valid_from, lists in (("2016-01-01", country.before), (REFORM, country.after)):
        items = [
            {"code": code, "parentCode": "", "level": "1", "name": name}
            for code, name in zip(lists.code, lists.name, strict=True)
            if code != PSEUDO_MUNICIPALITY[0]
        ]
        version = {"name": f"Kommuneinndeling {valid_from[:4]} (oppdiktet)", "validFrom": valid_from,
                   "classificationItems": items}  # fmt: skip
        path = folder / f"fabelland_kommuneinndeling_{valid_from[:4]}.json"
        path.write_text(json.dumps(version, ensure_ascii=False, indent=1), encoding="utf-8")
        paths.append(path)
    return paths
