"""Recognise the format of a file by its content. The name is not used."""

from __future__ import annotations

import json
import re
import tempfile
import zipfile
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from dagster_project import schema
from dagster_project.diagnostics import FileProblem, UnrecognisedFile
from dagster_project.intake.readers import (
    forms,
    pivots,
    registers,
    skoleporten,
    statistikkbanken,
    survey_api,
    unit_list,
)
from dagster_project.intake.tables import first_lines, first_rows, header_of, split_header
from dagster_project.intake.text import (
    SNIFF_BYTES,
    damaged,
    decode,
    encoding_of,
    fault,
    lines_ended,
    open_zip,
    refuse_oversize,
    shown,
    sniff,
    unpack,
    unreadable,
)

ACCEPTED = (
    "Udir's Statistikkbanken CSV, pivots of the report API and the list of units, export API tables 148, 150 and 151, "
    "the old Skoleporten CSV, NSR v4 JSON, "
    "SSB Klass 131 JSON and CSV, .xlsx or .zip of these, and the forms this product hands out"
)


ZIP, OLD_OFFICE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
MAX_MEMBERS = 200
# each byte takes up to twenty in memory; the register of a country ten times as large has 14 MB
MAX_REGISTER_BYTES = 50_000_000
_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"?|[{}\[\]:]', re.DOTALL)


@dataclass(frozen=True)
class Recognised:
    """The format of a file, the file format it is wrapped in, and the datasets it is about, by its head alone."""

    format: str
    container: str
    datasets: tuple[str, ...] = ()


def _unrecognised(code: str, message: str, name: str, found: str, **more: str) -> UnrecognisedFile:
    finding = fault(
        code, message, name, stage="recognised", found=found,
        **{"expected": ACCEPTED, "fix": "Send the original download.", **more},
    )  # fmt: skip
    return UnrecognisedFile(f"{name} is not a file this product knows: {message}", [finding])


def _by_header(header: tuple[str, ...], container: str) -> Recognised | None:
    if statistikkbanken.looks_like(header):
        return Recognised("statistikkbanken_csv", container, (statistikkbanken.dataset_of(header),))
    if survey_api.looks_like(set(header)):
        return Recognised("survey_api_csv", container, (schema.PUPIL_SURVEY,))
    if pivots.looks_like_header(header):
        return Recognised("survey_pivot_csv", container, (schema.PUPIL_SURVEY,))
    if skoleporten.looks_like(header):
        return Recognised("skoleporten_csv", container, (schema.NATIONAL_TESTS,))
    if (klass := registers.klass_of(header)) is not None:
        return Recognised(klass, container, (registers.DATASETS[klass],))
    form = forms.looks_like(header)
    return Recognised("form_csv", container, (form.dataset,)) if form else None


def load_json(path: Path, name: str) -> Any:
    """A whole JSON document. A text in it may hold half of a pair of surrogates: the reader names where.

    Raises:
        UnreadableFile: ``file-too-large``, ``damaged-json``, or what ``decode`` raises.
    """
    refuse_oversize(path, name, lines=False, most=MAX_REGISTER_BYTES)
    text = decode(path, name)
    with damaged("damaged-json", "the JSON ends early or is damaged", name, expected="a whole JSON document",
                 fix="Download the file again."):  # fmt: skip
        return json.loads(text)


def _keys(text: str) -> tuple[str, ...]:
    """Keys of the first object of a JSON text, which may end early. Nothing is built, so no depth is too deep."""
    keys: dict[str, None] = {}
    depth, last = 0, ""
    for match in _JSON_TOKEN.finditer(text):
        token = match[0]
        if token == "}" and depth == 1:
            break
        if token in "{[" and (depth or token == "{"):
            depth += 1
        elif token in "}]":
            depth -= 1
        elif token == ":" and depth == 1:
            keys[last] = None
        last = token[1:-1]
    return tuple(keys)


def recognise(path: Path, name: str | None = None) -> Recognised:
    """Tell the format of a file, and the datasets it is about, from its first bytes.

    Raises:
        UnrecognisedFile: empty, binary, or text of no known format.
        UnreadableFile: a zip or a workbook that is damaged.
    """
    name = name or path.name
    known = _recognise(path, name)
    return replace(known, datasets=_inside(path, name)) if known.format == "zip" else known


def _recognise(path: Path, name: str) -> Recognised:
    head = sniff(path)
    if not head.strip():
        raise _unrecognised("empty-file", "the file is empty", name, f"{path.stat().st_size} bytes",
                            fix="Download the file again.")  # fmt: skip
    if head.startswith(ZIP):
        return _in_package(path, name)
    if head.startswith(OLD_OFFICE):
        raise _unrecognised("binary-file", "the file is an old Office file, or a workbook with a password", name,
                            "a compound document", fix="Save it as .xlsx, without a password.")  # fmt: skip
    encoding = encoding_of(head)
    if encoding is None:
        raise _unrecognised("binary-file", "the file is binary", name, f"begins with {head[:8].hex(' ')}")
    text = head.decode(encoding, errors="ignore").lstrip("\ufeff")
    if (opening := text.lstrip()[:1]) and opening in "[{":
        return _json(name, text, opening)
    _, named, line = first_lines(lines_ended(text))
    _, header = split_header(line, named)
    known = _by_header(header, "csv")
    if known is None:
        raise _unrecognised("unknown-header", "its first line is the header of no known format", name,
                            ", ".join(header))  # fmt: skip
    return known


def _json(name: str, text: str, opening: str) -> Recognised:
    keys = _keys(text)
    if opening == "[" and survey_api.looks_like(set(keys)):
        return Recognised("survey_api_json", "json", (schema.PUPIL_SURVEY,))
    if opening == "{" and pivots.looks_like(keys, text):
        return Recognised("report_pivot", "json", (pivots.dataset_of(text),))
    if unit_list.looks_like(keys, opening):
        return Recognised(unit_list.FORMAT, "json")
    found = registers.looks_like(keys) if opening == "{" else None
    if found is None:
        raise _unrecognised("unknown-json", "its keys are those of no known format", name,
                            ", ".join(keys[:8]) or text.lstrip())  # fmt: skip
    return Recognised(found, "json", (registers.DATASETS[found],))


def _in_package(path: Path, name: str) -> Recognised:
    with open_zip(path, name) as package:
        if "[Content_Types].xml" not in package.namelist():
            return Recognised("zip", "zip")
    sheets = first_rows(path, name)
    if (form := forms.find(sheets, name)) is not None:
        return Recognised("form_workbook", "xlsx", (form.form.dataset,))
    header = header_of(sheets[0][1]) if sheets else ()
    if not any(header):
        raise unreadable("no-rows", "the first sheet has no rows", name, expected="a header and a row for each unit",
                         fix="Put the table on the first sheet.")  # fmt: skip
    known = _by_header(header, "xlsx")
    if known is None:
        raise _unrecognised("unknown-header", "the first sheet has the header of no known format", name,
                            ", ".join(header))  # fmt: skip
    return known


def members(package: zipfile.ZipFile, name: str) -> dict[str, zipfile.ZipInfo]:
    """The files in a zip by their names without folders. The name is part of the place of a cell, so it stands once.

    Raises:
        UnreadableFile: ``damaged-zip``, ``empty-zip``, ``too-many-files``, ``repeated-file``.
    """
    if not all(m.filename for m in package.infolist()):
        raise unreadable("damaged-zip", "a file in the zip has no name", name, expected="a name for each file",
                         fix="Pack the files again.")  # fmt: skip
    files = [m for m in package.infolist() if not m.is_dir() and not m.filename.startswith("__MACOSX")]
    if not files:
        raise unreadable("empty-zip", "the zip holds no files", name, found="no file", expected="one file or more",
                         fix="Pack the files again.")  # fmt: skip
    if len(files) > MAX_MEMBERS:
        raise unreadable("too-many-files", "the zip holds more files than any real delivery", name,
                         found=f"{len(files):,} files", expected=f"at most {MAX_MEMBERS}",
                         fix="Send the files unpacked.")  # fmt: skip
    named: dict[str, zipfile.ZipInfo] = {}
    for file in files:
        inner = PurePosixPath(file.filename).name
        if inner in named:
            raise unreadable("repeated-file", "the zip holds two files of the same name", f"{name}!{shown(inner)}",
                             found=file.filename, expected="each name once",
                             fix="Give each file its own name.")  # fmt: skip
        named[inner] = file
    return named


def _inside(path: Path, name: str) -> tuple[str, ...]:
    """The datasets of the files in a zip. One that cannot be recognised is told when the zip is read."""
    found: set[str] = set()
    with suppress(FileProblem), open_zip(path, name) as package, tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "member"
        for inner, member in members(package, name).items():
            with suppress(FileProblem):
                unpack(package, member, target, inner, SNIFF_BYTES)
                if sniff(target).startswith(ZIP):
                    unpack(package, member, target, inner)
                found |= set(_recognise(target, inner).datasets)
    return tuple(sorted(found))
