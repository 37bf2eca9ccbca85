"""Read any accepted file into extract tables: choose the reader, unpack zips safely."""

from __future__ import annotations

import tempfile
import zipfile
from dataclasses import replace
from pathlib import Path, PurePosixPath

from dagster_project.intake.cells import ExtractTable
from dagster_project.intake.readers import forms, registers, skoleporten, statistikkbanken, survey_api
from dagster_project.intake.recognise import Recognised, load_json, recognise
from dagster_project.intake.tables import TextTable, read_csv, read_xlsx
from dagster_project.intake.text import refuse_oversize, unreadable

MAX_MEMBERS = 200
MAX_UNPACKED_BYTES = 1_500_000_000
MAX_RATIO = 200
_TABULAR = {
    "statistikkbanken_csv": statistikkbanken.read,
    "survey_api_csv": survey_api.read,
    "skoleporten_csv": skoleporten.read,
    "form_csv": forms.read_table,
}
_REGISTERS = {
    "nsr_v4": registers.read_nsr,
    "klass_changes": registers.read_changes,
    "klass_version": registers.read_version,
}


def read_file(path: Path, sha256: str, name: str | None = None, known: Recognised | None = None) -> list[ExtractTable]:
    """Read a file into extract tables. ``sha256`` is that of the file as it was sent, and goes into every row.

    Raises:
        UnrecognisedFile, UnreadableFile, SchemaProblem: each with findings that name file, row and column.
    """
    name = name or path.name
    known = known or recognise(path, name)
    if known.format == "zip":
        return _read_zip(path, sha256, name)
    if known.format in _REGISTERS:
        refuse_oversize(path, name, lines=False)
        return _REGISTERS[known.format](load_json(path, name), name, sha256)
    if known.format == "form_workbook":
        return forms.read_workbook(path, name, sha256)
    if known.format == "survey_api_json":
        refuse_oversize(path, name, lines=False)
        return survey_api.read(survey_api.read_json(path, name), sha256)
    table: TextTable = read_xlsx(path, name) if known.container == "xlsx" else read_csv(path, name)
    return _TABULAR[known.format](table, sha256)


def _read_zip(path: Path, sha256: str, name: str) -> list[ExtractTable]:
    """Read each member as a file of its own; the member's name goes in front of the source column.

    Raises:
        UnreadableFile: ``zip-bomb``, ``nested-zip``, ``damaged-zip``, ``empty-zip``.
    """
    tables: list[ExtractTable] = []
    with zipfile.ZipFile(path) as package, tempfile.TemporaryDirectory() as folder:
        members = [m for m in package.infolist() if not m.is_dir() and not m.filename.startswith("__MACOSX")]
        if not members:
            raise unreadable("empty-zip", "the zip holds no files", name, found="no file", expected="one file or more",
                             fix="Pack the files again.")  # fmt: skip
        size = sum(m.file_size for m in members)
        packed = max(sum(m.compress_size for m in members), 1)
        if len(members) > MAX_MEMBERS or size > MAX_UNPACKED_BYTES or size / packed > MAX_RATIO:
            raise unreadable(
                "zip-bomb", "the zip unpacks to far more than any real export", name,
                found=f"{len(members)} files, {size:,} bytes from {packed:,}",
                expected=f"at most {MAX_MEMBERS} files and {MAX_UNPACKED_BYTES:,} bytes, packed {MAX_RATIO} times",
                fix="Send the files unpacked.",
            )  # fmt: skip
        for number, member in enumerate(members):
            inner = f"{name}!{PurePosixPath(member.filename).name}"
            target = Path(folder) / f"{number:03d}"
            try:
                with package.open(member) as source, target.open("wb") as out:
                    written = 0
                    while chunk := source.read(1 << 20):
                        written += len(chunk)
                        if written > member.file_size:
                            raise zipfile.BadZipFile("a file is larger than the zip says")
                        out.write(chunk)
            except (zipfile.BadZipFile, RuntimeError, OSError, NotImplementedError) as error:
                raise unreadable(
                    "damaged-zip",
                    "a file cannot be unpacked",
                    inner,
                    found=str(error)[:160],
                    expected="a whole file without a password",
                    fix="Pack it again, without a password.",
                ) from error
            known = recognise(target, inner)
            if known.format == "zip":
                raise unreadable("nested-zip", "the zip holds another zip", inner, found="a zip",
                                 expected="CSV, JSON or a workbook", fix="Unpack the inner one.")  # fmt: skip
            prefix = PurePosixPath(member.filename).name
            tables += [_within(table, prefix) for table in read_file(target, sha256, inner, known)]
    return tables


def _within(table: ExtractTable, member: str) -> ExtractTable:
    import pyarrow as pa
    import pyarrow.compute as pc

    at = table.table.schema.get_field_index("source_column")
    named = pc.binary_join_element_wise(pa.scalar(member), table.table["source_column"], "!")
    return replace(table, table=table.table.set_column(at, "source_column", named))
