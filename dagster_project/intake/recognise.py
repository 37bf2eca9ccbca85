"""What is this file? Told from its content; its name is never looked at."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dagster_project.diagnostics import Finding, Severity, UnrecognisedFile
from dagster_project.intake.readers import forms, registers, skoleporten, statistikkbanken, survey_api
from dagster_project.intake.tables import first_lines, read_xlsx, split_header
from dagster_project.intake.text import encoding_of, sniff, unreadable

ACCEPTED = (
    "Udir's Statistikkbanken CSV, export API tables 148, 150 and 151, the old Skoleporten CSV, NSR v4 JSON, "
    "SSB Klass 131 JSON, .xlsx or .zip of these, and the forms this product hands out"
)


@dataclass(frozen=True)
class Recognised:
    """The format of a file, and the file format it is wrapped in."""

    format: str
    container: str


def _unrecognised(code: str, message: str, name: str, **more: Any) -> UnrecognisedFile:
    finding = Finding(
        code, Severity.FAIL, message, stage="recognised", file=name, expected=ACCEPTED,
        fix=more.pop("fix", "Send the original download."), **more,
    )  # fmt: skip
    return UnrecognisedFile(f"{name} is not a file this product knows: {message}", [finding])


def _by_header(header: tuple[str, ...]) -> str | None:
    if statistikkbanken.looks_like(header):
        return "statistikkbanken_csv"
    if survey_api.looks_like(set(header)):
        return "survey_api_csv"
    if skoleporten.looks_like(header):
        return "skoleporten_csv"
    return "form_csv" if forms.looks_like(header) else None


def load_json(path: Path, name: str) -> Any:
    """A whole JSON document. Raises UnreadableFile when it ends early."""
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise unreadable("damaged-json", "the JSON ends early or is damaged", name, found=str(error)[:120],
                         fix="Download the file again.") from error  # fmt: skip


def _first_object(text: str) -> dict[str, Any]:
    start = text.find("{")
    try:
        return json.JSONDecoder().raw_decode(text[start:])[0] if start >= 0 else {}
    except ValueError:
        return {}


def recognise(path: Path, name: str | None = None) -> Recognised:
    """Tell the format of a file from its first bytes.

    Raises:
        UnrecognisedFile: empty, binary, or text of no known format.
        UnreadableFile: a register whose JSON is damaged.
    """
    name = name or path.name
    head = sniff(path)
    if not head.strip():
        raise _unrecognised("empty-file", "the file is empty", name, found=f"{path.stat().st_size} bytes",
                            fix="Download the file again.")  # fmt: skip
    if head.startswith(b"PK\x03\x04"):
        return _in_package(path, name)
    encoding = encoding_of(head)
    if encoding is None:
        raise _unrecognised("binary-file", "the file is binary", name, found=f"begins with {head[:8].hex(' ')}")
    text = head[: len(head) // 2 * 2].decode(encoding, errors="ignore").lstrip("\ufeff")
    if text.lstrip()[:1] in ("[", "{"):
        return _json(path, name, text)
    _, named, line = first_lines(text)
    _, header = split_header(line, named)
    found = _by_header(header)
    if found is None:
        raise _unrecognised("unknown-header", "its first line is the header of no known format", name, found=line[:160])
    return Recognised(found, "csv")


def _json(path: Path, name: str, text: str) -> Recognised:
    if text.lstrip().startswith("["):
        if survey_api.looks_like(set(_first_object(text))):
            return Recognised("survey_api_json", "json")
        raise _unrecognised("unknown-json", "its first object has the keys of no known format", name,
                            found=", ".join(list(_first_object(text))[:8]))  # fmt: skip
    content = load_json(path, name)
    found = registers.looks_like(content)
    if found is None:
        keys = ", ".join(list(content)[:8]) if isinstance(content, dict) else type(content).__name__
        raise _unrecognised("unknown-json", "its keys are those of no known format", name, found=keys)
    return Recognised(found, "json")


def _in_package(path: Path, name: str) -> Recognised:
    try:
        with zipfile.ZipFile(path) as package:
            members = package.namelist()
    except (zipfile.BadZipFile, OSError) as error:
        raise unreadable(
            "damaged-zip",
            "the zip cannot be opened",
            name,
            found=str(error)[:160],
            expected="a whole zip",
            fix="Pack it again.",
        ) from error
    if "[Content_Types].xml" not in members:
        return Recognised("zip", "zip")
    if forms.find(path, name) is not None:
        return Recognised("form_workbook", "xlsx")
    header = read_xlsx(path, name).header
    found = _by_header(header)
    if found is None:
        raise _unrecognised("unknown-header", "the first sheet has the header of no known format", name,
                            found=", ".join(header)[:160])  # fmt: skip
    return Recognised(found, "xlsx")
