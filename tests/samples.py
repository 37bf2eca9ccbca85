"""Small files in the real formats, for tests. All units are fictional."""

from __future__ import annotations

from pathlib import Path

UNITS = ["EnhetNivaa", "Nasjonaltkode", "Fylkekode", "Kommunekode", "Organisasjonsnummer", "Nasjonalt", "Fylke",
         "Kommune", "EnhetNavn"]  # fmt: skip
NATION = "Fabelland (oppdiktet)"
STEM = "{year}.Lesing.5. årstrinn.Alle eierformer.Alle kjønn."
MEASURES = ("Skalapoeng", "Usikkerhet", "Antall elever deltatt")


def header(year: str = "2024-25") -> list[str]:
    return UNITS + [STEM.format(year=year) + m for m in MEASURES]


def rows(score: str = "48") -> list[list[str]]:
    """A nation, a county, a municipality and three schools: seen, hidden, and with nobody who took the test."""
    place = [NATION, "Ytterfabel", "Brumeblom"]
    return [
        ["1", "I", "00", "0000", "I", NATION, "Alle fylker", "Alle kommuner", "Alle skoler", "49", "0,1", "1 056"],
        ["2", "I", "61", "0000", "61", NATION, "Ytterfabel", "Alle kommuner", "Alle skoler", "49", "0,3", "456"],
        ["3", "I", "61", "6101", "6101", *place, "Alle skoler", "48", "0,8", "120"],
        ["4", "I", "61", "6101", "100000008", *place, "Brumeblom skole ", score, "1,8", "100"],
        ["4", "I", "61", "6101", "100000016", *place, "Nedre skole", "*", "*", "*"],
        ["4", "I", "61", "6101", "100000024", *place, "Øvre skole", "", "", "0"],
    ]


def abroad(*figures: str) -> list[list[str]]:
    """A second row of every level: Norwegian schools abroad, with a national figure of their own."""
    nation = "Utlandet (oppdiktet)"
    place = [nation, "Utlandet", "Utlandet, uspesifisert"]
    return [
        ["1", "U", "00", "0000", "U", nation, "Alle fylker", "Alle kommuner", "Alle skoler", *figures],
        ["2", "U", "25", "0000", "25", nation, "Utlandet", "Alle kommuner", "Alle skoler", *figures],
        ["3", "U", "25", "2599", "2599", *place, "Alle skoler", *figures],
        ["4", "U", "25", "2599", "U90000001", *place, "Skolen i utlandet", *figures],
    ]


def text(lines: list[list[str]], *, year: str = "2024-25", delimiter: str = "\t", sep: bool = True) -> str:
    body = "\n".join(delimiter.join(line) for line in [header(year), *lines]) + "\n"
    return (f"sep={delimiter}\n" if sep else "") + body


def survey_of_2021(path: Path, *columns: str, encoding: str = "utf-16-le", end: str = "\r") -> Path:
    """The Pupil Survey as it was downloaded in 2021: units in the rows, year, grade and sex in the header."""
    stem = "2019-20.Mobbing på skolen.Alle spørsmål.{grade}. årstrinn.Alle eierformer.{sex}.Andel mobbet"
    of_bullying = [stem.format(grade=grade, sex=sex) for grade in (7, 10) for sex in ("Alle kjønn", "Gutt")]
    header = [*UNITS, *of_bullying, *columns]
    figures = (["5,9", "6,1", "4,0", "*"], ["5,9", "6,1", "", "0,0"])
    lines = [[*row[:9], *figures[n > 2], *["4,1"] * len(columns)] for n, row in enumerate(rows())]
    return write(path, "sep=\t" + end + "".join("\t".join(line) + end for line in [header, *lines]), encoding)


def write(path: Path, content: str, encoding: str = "utf-16-le") -> Path:
    path.write_bytes(content.encode(encoding))
    return path


def national_tests(path: Path, lines: list[list[str]] | None = None, *, year: str = "2024-25") -> Path:
    """A file as the statistics bank writes it."""
    return write(path, text(rows() if lines is None else lines, year=year))


def edit(path: Path, old: str, new: str) -> int:
    """Replace the first occurrence; return its line."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return text[: text.index(old)].count("\n") + 1
