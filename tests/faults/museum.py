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

from tests import samples

Maker = Callable[[Path], Path]
PLACE = [samples.NATION, "Ytterfabel", "Brumeblom"]
SCORE, COUNT = (samples.STEM.format(year="2024-25") + m for m in ("Skalapoeng", "Antall elever deltatt"))


@dataclass(frozen=True)
class Specimen:
    """How the broken file is made, what must be said of it, and what was taken in before it."""

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


def formula_workbook(path: Path) -> Path:
    import xlsxwriter

    book = xlsxwriter.Workbook(str(path))
    sheet = book.add_worksheet()
    for line, row in enumerate([samples.header(), *samples.rows()]):
        sheet.write_row(line, 0, row)
    sheet.write_formula(4, 9, "=1+1")
    book.close()
    return path


def school_code(serial: int) -> str | None:
    digits = f"1{serial:07d}"
    control = -sum(int(d) * w for d, w in zip(digits, (3, 2, 7, 6, 5, 4, 3, 2), strict=True)) % 11
    return None if control == 10 else f"{digits}{control}"


def many(schools: int, *, nation: int = 49, hidden: int = 0, year: str = "2024-25", shift: int = 0) -> Maker:
    """A nation of many schools in one municipality. The first ``hidden`` ones are starred."""
    codes = [c for i in range(schools * 2) if (c := school_code(i)) is not None][:schools]

    def make(path: Path) -> Path:
        top = [[*samples.rows()[0][:9], str(nation + shift), "0,1", str(schools * 20)]]
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


def last_year(schools: int = 40) -> Maker:
    return many(schools, year="2023-24")


UNIT = {"EnhetNivaa": "4", "Nasjonaltkode": "I", "Fylkekode": "61", "Kommunekode": "6101", "Organisasjonsnummer": "100000008",
        "Nasjonalt": samples.NATION, "Fylke": "Ytterfabel", "Kommune": "Brumeblom", "EnhetNavn": "Brumeblom skole"}  # fmt: skip


def survey(**other: Any) -> dict[str, Any]:
    """One object of the Pupil Survey's export. A key set to None is left out."""
    row = {**UNIT, "Skoleaarnavn": "2024-25", "TrinnKode": "7", "Trinnnavn": "7. trinn", "EierformNavn": "Alle eierformer",
           "Kjoenn": "Alle kjønn", "Spoersmaalgruppe": "Motivasjon", "Spoersmaalnavn": "Alle spørsmål", "Score": "4,1",
           "AntallBesvart": "30", **other}  # fmt: skip
    return {k: v for k, v in row.items() if v is not None}


def school(**other: Any) -> dict[str, Any]:
    return {"Organisasjonsnummer": "100000008", "Navn": "Brumeblom skole", "ErAktiv": True, "ErSkole": True, "ErGrunnskole": True,
            "ErOffentligSkole": True, "Kommune": {"Kommunenummer": "6101"}, "Fylke": {"Fylkesnummer": "61"}, **other}  # fmt: skip


def old_download(*names: str) -> Maker:
    header = "Enhetsnavn;Statistikk;Indikator/delskår;Periode;Eierform;Trinn;Kjønn;Verdi;Måleenhet"
    lines = [
        f"{name};Nasjonale prøver;Lesing;2020-2021;Alle eierformer;5. trinn;Begge kjønn;50;Skalapoeng" for name in names
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


FILES: dict[str, Specimen] = {
    # the file itself
    "empty": Specimen(raw(b""), "empty-file", words=("0 bytes",)),
    "binary": Specimen(raw(bytes(range(256)) * 40), "binary-file", words=("begins with 00 01",)),
    "something_else": Specimen(raw(b"name;age\nKari;7\n"), "unknown-header", words=("name;age",)),
    "unknown_json": Specimen(raw(b'{"a": 1}'), "unknown-json", words=("found: a",)),
    "two_gigabytes_in_one_line": Specimen(two_gigabytes, "file-too-large", words=("2,000,000,000", "1,500,000,000")),
    "endless_line": Specimen(raw(b"EnhetNivaa\t2024-25.x\n" + b"1\t" * 700_000), "line-too-long", 2),
    "truncated_in_a_row": Specimen(lambda p: samples.write(p, samples.text(samples.rows())[:-40]), "ragged-row", 8, words=("expected: 12 cells",)),
    "truncated_in_a_character": Specimen(raw(samples.text(samples.rows()).encode("utf-16-le")[:-1]), "truncated", words=("even number",)),
    "saved_in_the_wrong_encoding": Specimen(
        lambda p: samples.write(p, samples.text(samples.rows()).encode().decode("cp1252", "replace"), "utf-8"),
        "wrong-encoding", 2, words=("å, ø and æ",),
    ),
    "header_only": Specimen(lambda p: samples.national_tests(p, []), "no-rows", 2),
    "column_twice": Specimen(changed("Fylke\t", "Kommune\t"), "repeated-column", 2, "Kommune"),
    # zip and workbook
    "zip_bomb": Specimen(zipped({"big.csv": b"0" * 30_000_000}), "zip-bomb", words=("30,000,000 bytes",)),
    "zip_in_a_zip": Specimen(zipped({"inner.zip": inner_zip()}), "nested-zip", words=("inner.zip",)),
    "zip_of_nothing": Specimen(zipped({"folder/": b"", "__MACOSX/._a": b"x"}), "empty-zip"),
    "zip_cut_short": Specimen(zipped({"a.csv": b"x" * 4000}, lambda b: b[:60]), "damaged-zip"),
    "workbook_cut_open": Specimen(zipped({"[Content_Types].xml": b"<Types/>"}), "damaged-workbook"),
    "formula_in_a_workbook": Specimen(formula_workbook, "formula-in-cell", 5, SCORE, ("=1+1",)),
    # columns and cells of the statistics bank
    "missing_column": Specimen(changed("Kommunekode", "Kommunenr"), "missing-column", 2, "Kommunekode", ("found: Kommune",)),
    "renamed_measure": Specimen(changed("Skalapoeng", "Poengskala"), "unknown-header-level", 2, words=("found: Poengskala",)),
    "no_measure_of_the_scheme": Specimen(
        lambda p: samples.write(p, samples.text(samples.rows()).replace("Lesing.5. årstrinn.", "Alle trinn.")), "no-known-indicator",
    ),
    "counts_without_values": Specimen(changed("Skalapoeng", "Mestringsnivå 3"), "no-value-column"),
    "repeated_rows": Specimen(with_rows(samples.rows()[3]), "duplicated-row", 9, words=("100000008",)),
    "letter_in_a_number": Specimen(changed("\t48\t1,8", "\t4B\t1,8"), "not-a-number", 6, SCORE, ("found: 4B",)),
    "decimal_point": Specimen(changed("\t1,8\t", "\t1.8\t"), "not-a-number", 6, words=("found: 1.8", "0,8")),
    "unknown_level": Specimen(changed("4\tI\t61\t6101\t100000008", "7\tI\t61\t6101\t100000008"), "unknown-level", 6, "EnhetNivaa", ("found: 7", "1, 2, 3 or 4")),
    "lost_leading_zero": Specimen(changed("I\t61\t6101\t100000008", "I\t6\t6101\t100000008"), "code-lost-leading-zero", 6, "Fylkekode", ("found: 6",)),
    "formula_in_a_name": Specimen(changed("Nedre skole", "=HYPERLINK(1)"), "formula-in-name", 7, "EnhetNavn", ("=HYPERLINK(1)",)),
    # values
    "value_off_scale": Specimen(changed("\t48\t1,8", "\t148\t1,8"), "value-off-scale", 6, SCORE, ("found: 148",)),
    "mistyped_organisation_number": Specimen(changed("100000008", "100000007"), "invalid-organisation-number", 6, words=("found: 100000007",)),
    "year_to_come": Specimen(lambda p: samples.national_tests(p, year="2031-32"), "wrong-year", 3, words=("2031-32",)),
    "grade_without_the_test": Specimen(changed("5. årstrinn", "6. årstrinn"), "unknown-grade", 3, words=("reading_scale_score 6",)),
    "code_that_no_list_holds": Specimen(samples.national_tests, "unknown-municipality-code", 5, words=("6101",), before=version("6102")),
    "one_real_school_among_fictional_ones": Specimen(
        changed(f"100000008\t{samples.NATION}", "100000008\tNorge"), "fictional-and-official-mixed", 3, words=("only fictional units",),
    ),
    "more_pupils_in_the_part_than_in_the_whole": Specimen(changed("\t1,8\t100", "\t1,8\t121"), "parts-exceed-whole", 5, words=("found: -1",)),
    "same_cell_twice_in_an_old_download": Specimen(old_download("Brumeblom skole", "Brumeblom skole"), "cell-not-unique", 2, "Verdi", ("navn:Brumeblom skole",)),
    # warnings: the file is held until somebody accepts them by name
    "nation_far_from_its_schools": Specimen(many(40, nation=30), "national-far-from-schools", words=("reading_scale_score 5 2024-25",), status="held", before=None),
    "far_more_schools_hidden_than_last_year": Specimen(many(40, hidden=20), "suppressed-share-jumped", words=("found: 0.500",), status="held", before=last_year()),
    "half_of_the_schools_gone": Specimen(many(20), "number-of-schools-jumped", words=("found: -0.500",), status="held", before=last_year()),
    "nation_on_another_scale": Specimen(many(40, shift=20), "national-value-shifted", words=("2024-25",), status="held", before=last_year()),
    "later_export_with_half_of_the_units": Specimen(many(20), "cells-in-force-would-vanish", words=("at most 0.05",), status="held", before=many(40)),
    "column_that_was_never_there": Specimen(
        as_json([survey(Nynorsk="x", Score="4,2")]), "new-column", column="Nynorsk", status="accepted", before=as_json([survey()]),
    ),
    # the Pupil Survey's export
    "damaged_json": Specimen(raw(b'[{"Skoleaarnavn":"2024-25","Score":"3,1"},{"Skol'), "damaged-json"),
    "upper_secondary_only": Specimen(as_json([survey(TrinnKode="11", Trinnnavn="Vg1")]), "no-compulsory-school-rows", column="Trinnnavn", words=("found: Vg1",)),
    "other_question_only": Specimen(as_json([survey(Spoersmaalgruppe="Elevdemokrati")]), "no-known-indicator", column="Spoersmaalgruppe", words=("Motivasjon",)),
    "new_spelling_of_ownership": Specimen(as_json([survey(EierformNavn="Kommunal")]), "unknown-ownership", 0, "EierformNavn", ("found: Kommunal", "Offentlig")),
    "new_spelling_of_sex": Specimen(as_json([survey(Kjoenn="Kvinne")]), "unknown-sex", 0, "Kjoenn", ("found: Kvinne", "Jenter")),
    "column_that_has_gone": Specimen(
        as_json([survey(Kjoenn=None)]), "column-gone", column="Kjoenn", status="accepted", before=as_json([survey()]),
    ),
    # registers
    "school_without_a_number": Specimen(register({"Navn": "x", "ErSkole": True}), "damaged-record", 0, words=("no such key",)),
    "school_without_a_name": Specimen(register(school(Navn=None)), "missing-name", 0),
    "municipality_code_of_three_digits": Specimen(register(school(Kommune={"Kommunenummer": "610"})), "invalid-municipality-code", 0, words=("found: 610",)),
    "old_code_of_three_digits": Specimen(change(old="610"), "invalid-old-code", 0, words=("found: 610",)),
    "new_code_of_three_digits": Specimen(change(new="720"), "invalid-new-code", 0, words=("found: 720",)),
    "code_listed_twice": Specimen(version("6101", "6101"), "code-not-unique", 0),
}  # fmt: skip
