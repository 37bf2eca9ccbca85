"""A museum of broken inputs. One specimen per defect, named after it, with the code, place and words it must give.

``test_museum.py`` demands a specimen of every code that the readers, the suites and the rule loader can give.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import pivots, samples

Maker = Callable[[Path], Path]
PLACE = [samples.NATION, "Ytterfabel", "Brumeblom"]
SCORE, COUNT = (samples.STEM.format(year="2024-25") + m for m in ("Skalapoeng", "Antall elever deltatt"))


@dataclass(frozen=True)
class Specimen:
    """How the broken file is made, what must be said of it, and what is in force before it comes."""

    make: Maker
    code: str
    row: int | None = None
    column: str | None = None
    words: tuple[str, ...] = ()
    status: str = "rejected"
    before: Maker | None = samples.national_tests


def changed(old: str, new: str) -> Maker:
    return lambda path: samples.write(path, samples.text(samples.rows()).replace(old, new))


def with_rows(*extra: list[str]) -> Maker:
    return lambda path: samples.national_tests(path, [*samples.rows(), *extra])


def raw(content: bytes) -> Maker:
    def make(path: Path) -> Path:
        path.write_bytes(content)
        return path

    return make


def as_json(content: Any) -> Maker:
    return raw(json.dumps(content, ensure_ascii=False).encode())


def zipped(members: dict[str, bytes], broken: Callable[[bytes], bytes] = lambda b: b) -> Maker:
    def make(path: Path) -> Path:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
            for name, content in members.items():
                package.writestr(name, content)
        path.write_bytes(broken(path.read_bytes()))
        return path

    return make


def inner_zip() -> bytes:
    import io

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        package.writestr("a.csv", samples.text(samples.rows()))
    return buffer.getvalue()


def two_gigabytes(path: Path) -> Path:
    """One line of two gigabytes. Sparse: it takes no room, and reading it whole would take long."""
    with path.open("wb") as handle:
        handle.write(samples.text(samples.rows()).encode())
        os.truncate(path, 2_000_000_000)
    return path


def workbook(*rows: list[Any], broken: Callable[[dict[str, bytes]], None] | None = None) -> Maker:
    """Rows on the first sheet; ``broken`` may change the files the workbook is packed of."""
    import xlsxwriter

    def make(path: Path) -> Path:
        book = xlsxwriter.Workbook(str(path))
        sheet = book.add_worksheet()
        for line, row in enumerate(rows):
            sheet.write_row(line, 0, row)
        book.close()
        if broken is not None:
            with zipfile.ZipFile(path) as package:
                parts = {name: package.read(name) for name in package.namelist()}
            broken(parts)
            zipped(parts)(path)
        return path

    return make


def table_workbook(row: int, column: int, value: Any) -> Maker:
    """The table of the samples with one cell changed; row 0 is the header."""
    rows: list[list[Any]] = [samples.header(), *samples.rows()]
    rows[row][column] = value
    return workbook(*rows)


def in_sheet(old: bytes, new: bytes) -> Callable[[dict[str, bytes]], None]:
    def change(parts: dict[str, bytes]) -> None:
        name = "xl/worksheets/sheet1.xml"
        assert old in parts[name]
        parts[name] = parts[name].replace(old, new)

    return change


def priorities(*lines: list[Any], more: str = "") -> Maker:
    """The form of a county governor, filled, with one more header."""
    fields = [["Uttrekk", "fictional-2026"], ["Statsforvalter", "Fabel"], ["Kandidatlistens kontrollkode", "0"],
              ["Utfylt av", "Kari"], ["Dato", "15.02.2026"]]  # fmt: skip
    header = ["Kommunenr", "Kommune", "Prioritet", "Begrunnelse", "Samtale holdt", more]
    return workbook(*fields, header, *lines)


def school_code(serial: int) -> str | None:
    digits = f"1{serial:07d}"
    control = -sum(int(d) * w for d, w in zip(digits, (3, 2, 7, 6, 5, 4, 3, 2), strict=True)) % 11
    return None if control == 10 else f"{digits}{control}"


def many(
    schools: int, *, nation: int = 49, hidden: int = 0, year: str = "2024-25", shift: int = 0,
    elsewhere: int = 0, municipality: bool = True,
) -> Maker:  # fmt: skip
    """A nation of many schools in one municipality. The first ``hidden`` ones are starred.

    ``elsewhere`` are pupils that nation and municipality count and no school does.
    """
    codes = [c for i in range(schools * 2) if (c := school_code(i)) is not None][:schools]

    def make(path: Path) -> Path:
        pupils = str(schools * 20 + elsewhere)
        top = [[*samples.rows()[0][:9], str(nation + shift), "0,1", pupils]]
        if municipality:
            top.append([*samples.rows()[2][:9], str(48 + shift), "0,8", pupils])
        rest = [
            [
                "4",
                "I",
                "61",
                "6101",
                code,
                *PLACE,
                f"Skole {i}",
                *(["*"] * 3 if i < hidden else [str(44 + shift + i % 11), "1,8", "20"]),
            ]
            for i, code in enumerate(codes)
        ]
        return samples.national_tests(path, top + rest, year=year)

    return make


LAST_YEAR = many(40, year="2023-24")


UNIT = {"EnhetNivaa": "4", "Nasjonaltkode": "I", "Fylkekode": "61", "Kommunekode": "6101", "Organisasjonsnummer": "100000008",
        "Nasjonalt": samples.NATION, "Fylke": "Ytterfabel", "Kommune": "Brumeblom", "EnhetNavn": "Brumeblom skole"}  # fmt: skip


def survey(**other: Any) -> dict[str, Any]:
    """One object of the Pupil Survey's export. A key set to None is left out."""
    row = {**UNIT, "Skoleaarnavn": "2024-25", "TrinnKode": "7", "Trinnnavn": "7. trinn", "EierformNavn": "Alle eierformer",
           "Kjoenn": "Alle kjønn", "Spoersmaalgruppe": "Motivasjon", "Spoersmaalnavn": "Alle spørsmål", "Score": "4,1",
           "AntallBesvart": "30", **other}  # fmt: skip
    return {k: v for k, v in row.items() if v is not None}


NATION_UNIT = {"EnhetNivaa": "1", "Fylkekode": "00", "Kommunekode": "0000", "Organisasjonsnummer": "I", "Fylke": "Alle fylker",
               "Kommune": "Alle kommuner", "EnhetNavn": "Alle skoler"}  # fmt: skip


def survey_of(**other: Any) -> list[dict[str, Any]]:
    """The nation and one school in the export of the Pupil Survey."""
    return [survey(**{**other, **NATION_UNIT, "AntallBesvart": "60 000"}), survey(**other)]


def school(**other: Any) -> dict[str, Any]:
    return {"Organisasjonsnummer": "100000008", "Navn": "Brumeblom skole", "ErAktiv": True, "ErSkole": True, "ErGrunnskole": True,
            "ErOffentligSkole": True, "Kommune": {"Kommunenummer": "6101"}, "Fylke": {"Fylkesnummer": "61"}, **other}  # fmt: skip


def old_download(*names: str, grade: str = "5. trinn", period: str = "2020-2021") -> Maker:
    header = "Enhetsnavn;Statistikk;Indikator/delskår;Periode;Eierform;Trinn;Kjønn;Verdi;Måleenhet"
    lines = [
        f"{name};Nasjonale prøver;Lesing;{period};Alle eierformer;{grade};Begge kjønn;50;Skalapoeng" for name in names
    ]
    return lambda path: samples.write(path, "\n".join([header, *lines]) + "\n", "utf-8-sig")


def register(*schools: dict[str, Any]) -> Maker:
    return as_json({"EnhetListe": list(schools)})


def change(old: str = "6101", new: str = "7202") -> Maker:
    return as_json(
        {
            "codeChanges": [
                {"oldCode": old, "oldName": "a", "newCode": new, "newName": "b", "changeOccurred": "2024-01-01"}
            ]
        }
    )


def version(*codes: str) -> Maker:
    return as_json(
        {"validFrom": "2020-01-01", "classificationItems": [{"code": c, "name": f"name {c}"} for c in codes]}
    )


def pivot(
    change: Callable[[dict[str, Any]], Any], document: Callable[[], dict[str, Any]] = pivots.national_tests
) -> Maker:
    """A pivot of the samples with something changed."""
    content = document()
    change(content)
    return as_json(content)


def pivot_and_list(
    change: Callable[[dict[str, Any]], Any] = lambda _: None,
    of_list: Callable[[list[dict[str, Any]]], Any] = lambda _: None,
) -> Maker:
    """A pivot whose schools have internal ids alone, and the list of units, in one zip."""
    document, units = pivots.national_tests(school_codes=False), pivots.unit_list()
    change(document)
    of_list(units["EnhetID"])
    return zipped({"pivot.json": pivots.as_bytes(document), "units.json": pivots.as_bytes(units)})


def survey_csv(document: dict[str, Any] | None = None) -> Maker:
    return lambda path: samples.write(path, "\n".join("\t".join(line) for line in pivots.survey_table(document)) + "\n")


IN_HEADER = (
    "2025-26."
    + samples.NATION
    + ".Ytterfabel.Brumeblom.Alle skoler.10. årstrinn.Alle eierformer.Alle kjønn.Andel mobbet"
)
ELSEWHERE_IN_LIST = pivots.survey((samples.NATION, "Ytterfabel", "Nabokommunen", "Alle skoler"))


# refused by a reader, before anything is asked about values
UNREAD: dict[str, Specimen] = {
    # the file itself
    "empty": Specimen(raw(b""), "empty-file", words=("0 bytes",)),
    "binary": Specimen(raw(bytes(range(256)) * 40), "binary-file", words=("begins with 00 01",)),
    "something_else": Specimen(raw(b"name;age\nKari;7\n"), "unknown-header", words=("name, age",)),
    "one_letter": Specimen(raw(b"a"), "unknown-header", words=("found: a",)),
    "unknown_json": Specimen(raw(b'{"a": 1}'), "unknown-json", words=("found: a",)),
    "endless_line": Specimen(raw(b"EnhetNivaa\t2024-25.x\n" + b"1\t" * 700_000), "line-too-long", 2),
    "truncated_in_a_row": Specimen(lambda p: samples.write(p, samples.text(samples.rows())[:-40]), "ragged-row", 8, words=("expected: 12 cells",)),
    "truncated_in_a_character": Specimen(raw(samples.text(samples.rows()).encode("utf-16-le")[:-1]), "truncated", words=("even number",)),
    "saved_in_the_wrong_encoding": Specimen(
        lambda p: samples.write(p, samples.text(samples.rows()).encode().decode("cp1252", "replace"), "utf-8"),
        "wrong-encoding", 2, words=("å, ø and æ",),
    ),
    "header_only": Specimen(lambda p: samples.national_tests(p, []), "no-rows", 2),
    "column_twice": Specimen(changed("Fylke\t", "Kommune\t"), "repeated-column", 2, "Kommune", ("2 times",)),
    "figures_without_a_header": Specimen(
        changed(samples.STEM.format(year="2024-25") + "Usikkerhet", ""), "blank-column", 2, "column 11 (K)", ("5 filled cells, the first on line 3: 0,1",),
    ),
    "twenty_thousand_columns": Specimen(raw(b"EnhetNivaa\t2024-25.x" + b"\t" * 20_000 + b"\n1\n"), "too-many-columns", 1, words=("20,002 columns",)),
    "name_of_forty_thousand_letters": Specimen(changed("Nedre skole", "x" * 40_000), "cell-too-long", 7, "EnhetNavn", ("40,000 characters",)),
    "nul_in_a_name": Specimen(changed("Nedre skole", "Nedre\0skole"), "control-character", 7, "EnhetNavn", ("Nedre\\u0000skole",)),
    "delete_in_a_name": Specimen(changed("Nedre skole", "Nedre\x7fskole"), "control-character", 7, "EnhetNavn", ("Nedre\\u007fskole",)),
    "nul_in_a_name_of_the_survey": Specimen(as_json([survey(EnhetNavn="Nedre\0skole")]), "control-character", 0, "EnhetNavn", ("Nedre\\u0000skole",)),
    "nul_in_a_name_of_a_municipality": Specimen(change(new="72\x0002"), "damaged-record", 0, words=("\\u0000",)),
    "workbook_with_a_password": Specimen(raw(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500)), "binary-file", words=("without a password",)),
    # zip and workbook
    "zip_bomb": Specimen(zipped({"big.csv": b"0" * 30_000_000}), "zip-bomb", words=("30,000,000 bytes",)),
    "zip_in_a_zip": Specimen(zipped({"inner.zip": inner_zip()}), "nested-zip", words=("inner.zip",)),
    "zip_of_nothing": Specimen(zipped({"folder/": b"", "__MACOSX/._a": b"x"}), "empty-zip"),
    "zip_cut_short": Specimen(zipped({"a.csv": b"x" * 4000}, lambda b: b[:60]), "damaged-zip"),
    "workbook_cut_open": Specimen(zipped({"[Content_Types].xml": b"<Types/>"}), "damaged-workbook"),
    "zip_with_a_damaged_file": Specimen(
        zipped({"a.csv": samples.text(samples.rows()).encode()}, lambda b: b[:60] + b"\xff" * 30 + b[90:]), "damaged-zip", words=("a.csv",),
    ),
    "zip_with_a_password": Specimen(
        zipped({"a.csv": b"1"}, lambda b: b.replace(b"PK\1\2\x14\3\x14\0\0", b"PK\1\2\x14\3\x14\0\1")), "damaged-zip", words=("found: a file with a password",),
    ),
    "zip_with_a_name_twice": Specimen(zipped({"a/x.csv": b"1", "b/x.csv": b"2"}), "repeated-file", words=("x.csv", "b/x.csv")),
    "zip_of_many_files": Specimen(zipped({f"{i}.csv": b"1" for i in range(201)}), "too-many-files", words=("201 files",)),
    "zip_with_a_file_without_a_name": Specimen(
        zipped({"a": b"1"}, lambda b: b[: b.index(b"PK\1\2") + 46] + b"\0" + b[b.index(b"PK\1\2") + 47 :]), "unsafe-path-in-zip", words=("outside of it",),
    ),
    "workbook_with_a_damaged_sheet": Specimen(
        workbook(samples.header(), *samples.rows(), broken=in_sheet(b"</row>", b"</rov>")), "damaged-workbook", words=("without a password",),
    ),
    "workbook_of_two_thousand_million_rows": Specimen(
        workbook(samples.header(), *samples.rows(), broken=in_sheet(b'<row r="7"', b'<row r="2000000000"')), "too-many-rows", 1_048_577,
    ),
    "workbook_of_wide_rows": Specimen(
        workbook(samples.header(), *([None] * 16_383 + ["1"] for _ in range(35))), "too-many-cells", 20, words=("at most 300,000 cells",),
    ),
    "table_of_many_cells": Specimen(
        raw(b"EnhetNivaa\t2024-25.x" + b"\t" * 15_000 + (b"\n1" + b"\t" * 15_001) * 700), "too-many-cells", words=("found: 10,501,400 cells", "10,000,000"),
    ),
    "formula_in_a_workbook": Specimen(table_workbook(4, 9, "=1+1"), "formula-in-cell", 5, SCORE, ("=1+1",)),
    "formula_of_several_cells": Specimen(table_workbook(4, 9, "{=SUM(A1:A2)}"), "formula-in-cell", 5, SCORE, ("=SUM(A1:A2)",)),
    "error_in_a_workbook": Specimen(table_workbook(4, 9, "#N/A"), "error-in-cell", 5, SCORE, ("#N/A",)),
    "yes_for_a_score": Specimen(
        workbook(samples.header(), *samples.rows()[:3], [*samples.rows()[3][:9], True, "1,8", "100"]), "not-a-number", 5, SCORE, ("found: True",),
    ),
    "figures_without_a_header_in_a_workbook": Specimen(table_workbook(0, 10, None), "blank-column", 1, "column 11 (K)", ("first on line 2",)),
    "figures_beside_the_table_of_a_workbook": Specimen(
        workbook(samples.header(), *samples.rows()[:3], [*samples.rows()[3], "", "7"]), "blank-column", 1, "column 14 (N)", ("1 filled cells, the first on line 5: 7",),
    ),
    "header_twice_in_a_workbook": Specimen(table_workbook(0, 6, "Kommune"), "repeated-column", 1, "Kommune"),
    "telephone_number_for_a_priority": Specimen(
        priorities(["6101", "Brumeblom", 4798765432, "Svake resultater", "11.02.2026"]), "number-out-of-range", 7, "Prioritet", ("found: 4798765432", "fra 1 til 9999"),
    ),
    "header_twice_in_a_form": Specimen(
        priorities(["6101", "Brumeblom", 1, "x", "11.02.2026", 2], more="Prioritet"), "repeated-column", 6, "Prioritet", ("hver kolonne én gang",),
    ),
    # columns and cells of the statistics bank
    "missing_column": Specimen(changed("Kommunekode", "Kommunenr"), "missing-column", 2, "Kommunekode", ("found: Kommune",)),
    "renamed_measure": Specimen(changed("Skalapoeng", "Poengskala"), "unknown-header-level", 2, words=("found: Poengskala",)),
    "no_measure_of_the_scheme": Specimen(
        lambda p: samples.write(p, samples.text(samples.rows()).replace("Lesing.5. årstrinn.", "Alle trinn.")), "no-known-indicator",
    ),
    "counts_without_values": Specimen(changed("Skalapoeng", "Mestringsnivå 3"), "no-value-column"),
    "repeated_rows": Specimen(with_rows(samples.rows()[3]), "duplicated-row", 9, words=("100000008",)),
    "letter_in_a_number": Specimen(changed("\t48\t1,8", "\t4B\t1,8"), "not-a-number", 6, SCORE, ("found: 4B",)),
    "five_decimals": Specimen(changed("\t48\t1,8", "\t48,12345\t1,8"), "too-many-decimals", 6, SCORE, ("found: 48,12345", "at most 4 decimals")),
    "fifteen_digits": Specimen(changed("\t48\t1,8", f"\t{'9' * 15}\t1,8"), "number-out-of-range", 6, SCORE, ("at most 14 digits",)),
    "minus_a_hundred_pupils": Specimen(changed("\t1,8\t100", "\t1,8\t-100"), "not-a-count", 6, COUNT, ("found: -100", "a whole number")),
    "raised_figure_in_a_code": Specimen(changed("100000008", "10000000²"), "not-a-code", 6, "Organisasjonsnummer", ("10000000²",)),
    "grade_points_among_the_tests": Specimen(
        changed("Lesing.5. årstrinn.Alle eierformer.Alle kjønn.Usikkerhet", "Alle eierformer.Alle kjønn.Grunnskolepoeng"), "other-dataset", 2, SCORE, ("found: national_tests",),
    ),
    "two_measures_in_one_header": Specimen(changed("Usikkerhet", "Skalapoeng.Antall elever"), "unknown-header-level", 2, words=("found: Antall elever",)),
    "same_measure_in_two_columns": Specimen(changed("Usikkerhet", "Skalapoeng.Brudd"), "repeated-column", 2, SCORE + ".Brudd", (SCORE,)),
    "header_of_two_years": Specimen(changed("2024-25", "2024-26"), "unknown-header-level", 2, words=("found: 2024-26",)),
    "header_of_three_years": Specimen(changed("2024-25", "2024-25-26"), "unknown-header-level", 2, words=("found: 2024-25-26",)),
    "header_of_a_year_and_another": Specimen(changed("2024-25", "2024-25 og 2025-26"), "unknown-header-level", 2, words=("2024-25 og 2025-26",)),
    "survey_of_2021_without_an_indicator": Specimen(
        changed("Lesing.5. årstrinn.Alle eierformer.Alle kjønn.Skalapoeng", "7. årstrinn.Alle kjønn.Andel mobbet"), "missing-header-level", 2,
        "2024-25.7. årstrinn.Alle kjønn.Andel mobbet", ("does not name an indicator of the Pupil Survey",),
    ),
    "survey_of_2021_without_a_grade": Specimen(
        changed("Lesing.5. årstrinn.Alle eierformer.Alle kjønn.Skalapoeng", "Mobbing på skolen.Alle kjønn.Andel mobbet"), "missing-header-level", 2, words=("a grade",),
    ),
    "single_question_of_the_survey_of_2021": Specimen(
        changed("Lesing.5. årstrinn.Alle eierformer.Alle kjønn.Skalapoeng", "Mobbing på skolen.Er du mobbet på vei hjem?.7. årstrinn.Andel mobbet"),
        "unknown-header-level", 2, words=("found: Er du mobbet på vei hjem?",),
    ),
    "subject_of_a_test_in_the_survey_of_2021": Specimen(changed("Skalapoeng", "Mobbing på skolen.Andel mobbet"), "unknown-header-level", 2, words=("found: reading",)),
    "decimal_point": Specimen(changed("\t1,8\t", "\t1.8\t"), "not-a-number", 6, words=("found: 1.8", "0,8")),
    "unknown_level": Specimen(changed("4\tI\t61\t6101\t100000008", "7\tI\t61\t6101\t100000008"), "unknown-level", 6, "EnhetNivaa", ("found: 7", "1, 2, 3 or 4")),
    "unknown_nation": Specimen(changed("1\tI\t00", "1\tX\t00"), "unknown-nation", 3, "Nasjonaltkode", ("found: X", "U for schools abroad")),
    "lost_leading_zero": Specimen(changed("I\t61\t6101\t100000008", "I\t6\t6101\t100000008"), "code-lost-leading-zero", 6, "Fylkekode", ("found: 6",)),
    "formula_in_a_name": Specimen(changed("Nedre skole", "=HYPERLINK(1)"), "formula-in-name", 7, "EnhetNavn", ("=HYPERLINK(1)",)),
    "full_width_formula_in_a_name": Specimen(changed("Nedre skole", "＝HYPERLINK(1)"), "formula-in-name", 7, "EnhetNavn", ("HYPERLINK(1)",)),
    # the old download
    "grade_of_twenty_digits": Specimen(old_download("Brumeblom skole", grade="5" * 20), "not-a-grade", 2, "Trinn", ("such as Trinn 5",)),
    "period_of_five_years": Specimen(old_download("Brumeblom skole", period="2016-2021"), "not-a-school-year", 2, "Periode", ("found: 2016-2021",)),
    # the Pupil Survey's export
    "damaged_json": Specimen(raw(b'[{"Skoleaarnavn":"2024-25","Score":"3,1"},{"Skol'), "damaged-json"),
    "upper_secondary_only": Specimen(as_json([survey(TrinnKode="1", Trinnnavn="Vg1", Kommunekode=None, RaderTotalt=6)]), "upper-secondary", 0, "Trinnnavn", ("found: Vg1", "148 and 150")),
    "no_grade_of_compulsory_school": Specimen(as_json([survey(TrinnKode="11", Trinnnavn="Alle trinn")]), "no-compulsory-school-rows", column="Trinnnavn", words=("found: Alle trinn",)),
    "groups_only": Specimen(as_json([survey(GruppeNivaa=1)]), "no-compulsory-school-rows", words=("no row of a whole unit",)),
    "list_of_klass_without_a_day": Specimen(raw(b"code;parentCode;level;name;validFrom\n6101;61;1;Brumeblom;2024-01-01\n\n6102;61;1;Annet;\n"), "damaged-record", 4, "validFrom"),
    "other_question_only": Specimen(as_json([survey(Spoersmaalgruppe="Elevdemokrati")]), "no-known-indicator", column="Spoersmaalgruppe", words=("Motivasjon",)),
    "new_spelling_of_ownership": Specimen(as_json([survey(EierformNavn="Kommunal")]), "unknown-ownership", 0, "EierformNavn", ("found: Kommunal", "Offentlig")),
    "new_spelling_of_sex": Specimen(as_json([survey(Kjoenn="Kvinne")]), "unknown-sex", 0, "Kjoenn", ("found: Kvinne", "Jenter")),
    "export_without_the_grade": Specimen(as_json([survey(TrinnKode=None)]), "missing-column", column="TrinnKode", words=("expected: TrinnKode",)),
    "export_without_answers": Specimen(as_json([survey(AntallBesvart=None)]), "missing-column", column="AntallBesvart"),
    "year_that_is_none": Specimen(as_json([survey(Skoleaarnavn="2024-26")]), "not-a-school-year", 0, "Skoleaarnavn", ("found: 2024-26",)),
    "list_for_a_score": Specimen(as_json([survey(), survey(TrinnKode="10", Score=["4,1"])]), "nested-value", 1, "Score", ('found: ["4,1"]',)),
    "object_without_a_key": Specimen(as_json([survey(), survey(Kjoenn=None)]), "missing-key", 1, "Kjoenn", ("expected: Kjoenn",)),
    "two_tables_in_one_file": Specimen(as_json([survey(AndelMobbet="4,1")]), "other-dataset", column="Score", words=("AndelMobbet, Score",)),
    "parts_of_two_answers": Specimen(
        as_json([survey(RaderTotalt=9), survey(TrinnKode="10", RaderTotalt=8)]), "parts-of-several-answers", 1, "RaderTotalt", ("1 of 8 rows, 1 of 9 rows",),
    ),
    "total_that_is_none": Specimen(as_json([survey(RaderTotalt="mange")]), "not-a-number", 0, "RaderTotalt", ("found: mange",)),
    "survey_cut_off_after_an_object": Specimen(
        raw(json.dumps([survey(), survey(TrinnKode="10")]).replace("}, {", "},\n{").encode().partition(b"\n")[0] + b"\n"), "damaged-json", words=("a list that is closed",),
    ),
    "survey_nested_a_hundred_thousand_deep": Specimen(
        raw(json.dumps([survey(Score="@")]).replace('"@"', "[" * 100_000 + "]" * 100_000).encode()), "cell-too-long", 0, "Score", ("200,000 characters",),
    ),
    # pivots of the report API, and the list of units
    "schools_with_internal_ids_alone": Specimen(
        pivot(lambda _: None, lambda: pivots.national_tests(school_codes=False)), "unit-list-missing", 3, "kode",
        ("found: Brumeblom skole, id 1.70.700.7001", "in 2 more places", "filterVerdier", "in one zip"),
    ),
    "units_of_the_header_without_a_list": Specimen(as_json(pivots.survey()), "unit-list-missing", None, IN_HEADER, ("filterVerdier",)),
    "units_of_the_header_of_a_csv_without_a_list": Specimen(survey_csv(), "unit-list-missing", None, IN_HEADER, ("in one zip",)),
    "school_that_the_list_lacks": Specimen(pivot_and_list(of_list=lambda nodes: nodes.pop(3)), "unit-not-in-list", 3, "id", ("Brumeblom skole, id 7001",)),
    "unit_of_the_header_that_the_list_lacks": Specimen(
        zipped({"a": pivots.as_bytes(ELSEWHERE_IN_LIST), "b": pivots.as_bytes(pivots.unit_list())}), "unit-not-in-list", words=("Nabokommunen",),
    ),
    "list_with_another_code": Specimen(
        pivot_and_list(of_list=lambda nodes: nodes[2].update(kode="6102")), "unit-list-differs", 2, "id", ("Brumeblom 6102 in the list", "expected: Brumeblom 6101"),
    ),
    "list_with_another_name": Specimen(
        pivot_and_list(of_list=lambda nodes: nodes[3].update(navn="Annen skole")), "unit-list-differs", 3, "id", ("found: Annen skole 100000008 in the list",),
    ),
    "list_of_units_without_a_pivot_in_its_zip": Specimen(zipped({"units.json": pivots.as_bytes(pivots.unit_list())}), "unit-list-unused", words=("units.json",)),
    "list_of_units_without_codes": Specimen(as_json({"EnhetID": [pivots.node(0, -12, None, "x")]}), "no-units", column="kode", words=("1 objects",)),
    "list_of_units_with_a_name_for_a_position": Specimen(as_json([pivots.node(0, -12, "I", "x") | {"barn": ["y"]}]), "damaged-record", 0, "barn"),
    "pivot_of_upper_secondary": Specimen(
        pivot(lambda d: d["metadata"].update(rowHierarchy=["Nasjonalt", "Fylke", "Enhet"])), "unknown-hierarchy", None, "rowHierarchy",
        ('found: ["Nasjonalt", "Fylke", "Enhet"]', "no municipalities"),
    ),
    "municipality_outside_its_county": Specimen(
        pivot(lambda d: d["rows"][1].update(kode="62")), "codes-contradict", 2, "kode", ("found: 6101", "begins with 62"),
    ),
    "internal_id_in_place_of_a_code": Specimen(
        pivot(lambda d: d["rows"][1].update(kode="70")), "unit-list-missing", 1, "kode", ("Ytterfabel, id 1.70",),
    ),
    "pivot_of_one_level_too_many": Specimen(pivot(lambda d: d["rows"][3].update(id="1.70.700.7001.1")), "unknown-level", 3, "id", ("1.70.700.7001.1",)),
    "pivot_of_an_unknown_nation": Specimen(pivot(lambda d: d["rows"].append({**d["rows"][1], "id": "5.1"})), "unknown-nation", 6, "id", ("found: 5", "I or U")),
    "pivot_with_a_unit_twice": Specimen(pivot(lambda d: d["rows"].append(d["rows"][3])), "duplicated-row", 6, "kode", ("100000008",)),
    "pivot_with_a_letter_in_a_number": Specimen(
        pivot(lambda d: d["rows"][3]["data"].__setitem__(0, "4B")), "not-a-number", 3, SCORE, ("found: 4B",),
    ),
    "pivot_with_a_number_for_a_text": Specimen(pivot(lambda d: d["rows"][3]["data"].__setitem__(0, 4.8)), "damaged-record", 3, "data", ("text or null",)),
    "pivot_with_a_cell_too_few": Specimen(pivot(lambda d: d["rows"][3]["data"].pop()), "damaged-record", 3, "data", ("found: 2 cells", "3 cells")),
    "half_a_character_in_a_pivot": Specimen(
        raw(json.dumps(pivots.national_tests()).replace('"48"', '"4\\ud800"').encode()), "not-storable", 2, SCORE, ("found: 4\\ud800", "expected: text"),
    ),
    "pivot_without_rows": Specimen(pivot(lambda d: d["rows"].clear()), "no-figures", None, "rows", ("0 rows of 3 columns",)),
    "pivot_of_one_header_level": Specimen(pivot(lambda d: d["metadata"].update(columns=d["metadata"]["columns"][-1:])), "damaged-pivot", None, "columns", ("Usikkerhet",)),
    "pivot_whose_levels_differ": Specimen(pivot(lambda d: d["metadata"]["columns"][0][0].update(columnCount=2)), "damaged-pivot", None, "columns", ("2, 3, 3",)),
    "pivot_with_a_level_without_a_count": Specimen(pivot(lambda d: d["metadata"]["columns"][0][0].pop("columnCount")), "damaged-pivot", None, "columns", ("level 1",)),
    "pivot_with_a_column_twice": Specimen(pivot(lambda d: d["metadata"]["columns"][-1][1].update(name="Skalapoeng")), "repeated-column", None, SCORE),
    "pivot_with_an_unknown_measure": Specimen(
        pivot(lambda d: d["metadata"]["columns"][-1][0].update(name="Poengskala")), "unknown-header-level", None, words=("found: Poengskala", "Skalapoeng"),
    ),
    "pivot_with_delete_in_a_cell": Specimen(pivot(lambda d: d["rows"][3]["data"].__setitem__(0, "4\x7f")), "control-character", 3, SCORE),
    "pivot_that_says_late_what_it_is_about": Specimen(
        pivot(lambda d: d["metadata"]["columns"][0][0].update(tekst="x" * 70_000), pivots.grade_points), "other-dataset", None, "metadata",
        ("found: grade_points", "expected: national_tests"),
    ),
    "pivot_of_questions_without_a_unit": Specimen(
        pivot(lambda d: d["metadata"]["columns"].pop(1), pivots.survey), "no-unit-in-header", None, words=("the county, municipality and school",),
    ),
    "pivot_of_another_indicator": Specimen(
        as_json(pivots.survey(name="Elevdemokrati", code="EUIndeks_1")), "no-known-indicator", None, "rows", ("found: Elevdemokrati", "Mobbing på skolen"),
    ),
    "pivot_with_the_code_of_another_indicator": Specimen(as_json(pivots.survey(name="Motivasjon")), "code-of-another", 0, "kode", ("EUIndeks_1398, Motivasjon",)),
    "pivot_with_a_unit_in_two_columns": Specimen(
        as_json(pivots.survey(pivots.SURVEY, ("HELE LANDET", *pivots.SURVEY[1:]))), "repeated-column", 0, words=("2025-26.HELE LANDET", "also 2025-26.Hele landet"),
    ),
    # registers
    "register_nested_a_hundred_thousand_deep": Specimen(raw(b'{"EnhetListe":' + b"[" * 100_000 + b"]" * 100_000 + b"}"), "damaged-json"),
    "register_without_a_list": Specimen(as_json({"EnhetListe": {}}), "damaged-register", column="EnhetListe", words=("an object",)),
    "school_without_a_number": Specimen(register({"Navn": "x", "ErSkole": True, "Kommunenummer": "6101"}), "damaged-record", 0, "Organisasjonsnummer", ("no such key",)),
    "text_for_a_grade": Specimen(register(school(), school(SkoletrinnGSTil="*1")), "damaged-record", 1, "SkoletrinnGSTil", ("found: *1", "0 to 13")),
    "list_for_a_governor": Specimen(register(school(Fylke={"StatsforvalterOrganisasjonsnummer": []})), "damaged-record", 0, "StatsforvalterOrganisasjonsnummer"),
    "half_a_character_in_a_name": Specimen(raw(json.dumps({"EnhetListe": [school(Navn="\ud800")]}).encode()), "damaged-record", 0, "Navn", ("\\ud800",)),
    "thirteenth_month": Specimen(register(school(UtgaattDato="2024-13-01T00:00:00")), "damaged-record", 0, "UtgaattDato", ("2024-13-01",)),
}  # fmt: skip

FILES: dict[str, Specimen] = {
    **UNREAD,
    "two_gigabytes_in_one_line": Specimen(two_gigabytes, "file-too-large", words=("2,000,000,000", "200,000,000")),
    # values
    "value_off_scale": Specimen(changed("\t48\t1,8", "\t148\t1,8"), "value-off-scale", 6, SCORE, ("found: 148",)),
    "mistyped_organisation_number": Specimen(changed("100000008", "100000007"), "invalid-organisation-number", 6, words=("found: 100000007",)),
    "year_to_come": Specimen(lambda p: samples.national_tests(p, year="2031-32"), "wrong-year", None, words=("2031-32",)),
    "grade_without_the_test": Specimen(changed("5. årstrinn", "6. årstrinn"), "unknown-grade", None, words=("found: 6", "grade 5, 8 or 9")),
    "code_that_no_list_holds": Specimen(samples.national_tests, "unknown-municipality-code", 5, words=("6101",), before=version("6102")),
    "one_real_school_among_fictional_ones": Specimen(
        changed(f"100000008\t{samples.NATION}", "100000008\tNorge"), "fictional-and-official-mixed", 6, words=("units of one origin",),
    ),
    "more_pupils_in_the_part_than_in_the_whole": Specimen(changed("\t1,8\t100", "\t1,8\t121"), "parts-exceed-whole", 5, words=("found: 120", "at least 121 pupils")),
    "no_national_row": Specimen(
        lambda p: samples.national_tests(p, samples.rows()[1:]), "national-figure-missing", words=("found: 0", "one national figure"),
    ),
    "national_figure_hidden": Specimen(changed("\t49\t0,1\t1 056", "\t*\t*\t*"), "national-figure-missing", words=("found: 0", "Hele landet")),
    "same_cell_twice_in_an_old_download": Specimen(old_download("Brumeblom skole", "Brumeblom skole"), "cell-not-unique", 2, "Verdi", ("navn:Brumeblom skole",)),
    # warnings: the file is held until somebody accepts them by name
    "nation_far_from_its_schools": Specimen(many(40, nation=30), "national-far-from-schools", words=("reading_scale_score 5 2024-25",), status="held", before=None),
    "far_more_schools_hidden_than_last_year": Specimen(many(40, hidden=20), "suppressed-share-jumped", words=("found: 0.5",), status="held", before=LAST_YEAR),
    "half_of_the_schools_gone": Specimen(many(20), "number-of-schools-jumped", words=("found: -0.5",), status="held", before=LAST_YEAR),
    "nation_on_another_scale": Specimen(many(40, shift=20), "national-value-shifted", words=("2024-25",), status="held", before=LAST_YEAR),
    "later_export_with_half_of_the_units": Specimen(many(20), "cells-in-force-would-vanish", words=("at most 0.05",), status="held", before=many(40)),
    "a_third_of_the_pupils_in_no_school": Specimen(
        many(40, elsewhere=400), "schools-short-of-nation", words=("found: 0.333", "at most 0.2"), status="held", before=None,
    ),
    "last_school_of_the_municipality_gone": Specimen(
        lambda p: samples.write(p, many(40)(p).read_text("utf-16-le").rstrip("\n").rpartition("\n")[0] + "\n"), "parts-short-of-whole", 4,
        words=("found: 20", "800 pupils of the unit in its schools"), status="held", before=None,
    ),
    "rows_of_the_municipalities_left_out": Specimen(
        many(40, municipality=False), "municipalities-short-of-nation", words=("found: 1", "at most 0.05"), status="held", before=None,
    ),
    "column_that_was_never_there": Specimen(
        as_json(survey_of(Nynorsk="x", Score="4,2")), "new-column", column="Nynorsk", status="accepted", before=as_json(survey_of()),
    ),
    "indicator_without_a_row_of_the_whole_of_it": Specimen(
        as_json([*survey_of(), *survey_of(Spoersmaalgruppe="Støtte fra lærerne", Spoersmaalnavn="Alle spørsmål.")]), "indicator-left-out",
        column="Spoersmaalnavn", words=("Støtte fra lærerne: Alle spørsmål.", "expected: Alle spørsmål"), status="accepted", before=None,
    ),
    "figures_under_a_header_without_levels": Specimen(
        changed(samples.STEM.format(year="2024-25") + "Usikkerhet", "Usikkerhet 2024-25"), "unread-column", 2, "Usikkerhet 2024-25",
        ("so it is not read", "such as 2024-25.Lesing.5. årstrinn.Skalapoeng"), status="accepted",
    ),
    "column_that_has_gone": Specimen(
        as_json(survey_of(Kjoenn=None)), "column-gone", column="Kjoenn", status="accepted", before=as_json(survey_of()),
    ),
    # registers
    "school_without_a_name": Specimen(register(school(Navn=None)), "missing-name", 0),
    "municipality_code_of_three_digits": Specimen(register(school(Kommune={"Kommunenummer": "610"})), "invalid-municipality-code", 0, words=("found: 610",)),
    "old_code_of_three_digits": Specimen(change(old="610"), "invalid-old-code", 0, words=("found: 610",)),
    "new_code_of_three_digits": Specimen(change(new="720"), "invalid-new-code", 0, words=("found: 720",)),
    "code_listed_twice": Specimen(version("6101", "6101"), "code-not-unique", 0),
}  # fmt: skip
