"""A document as a PDF with its own letters embedded; the date in it is that of the revision."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dagster_project.pages.document import Document, Table
from dagster_project.pages.words import FICTIONAL, LOCALES, both

if TYPE_CHECKING:
    from fpdf import FPDF


FONTS = Path(__file__).parent / "fonts"
FAMILY = "DejaVuSansCondensed"
SMALLEST, WIDEST = 11.0, 40


def as_pdf(document: Document) -> bytes:
    """A4, lying. Letters the font lacks are shown as a box, never dropped silently."""
    from fpdf import FPDF

    mark, document = both(FICTIONAL), _with_letters_of_the_font(document)

    class Sheet(FPDF):
        def header(self) -> None:
            if document.fictional:
                self.set_font(FAMILY, "B", 44)
                self.set_text_color(244, 226, 222)
                with self.rotation(20, self.w / 2, self.h / 2):
                    self.text((self.w - self.get_string_width(mark)) / 2, self.h / 2, mark)
                self.set_text_color(0)
                self.set_xy(self.l_margin, self.t_margin)

        def footer(self) -> None:
            self.set_y(-9)
            self.set_font(FAMILY, "", 7)
            self.cell(0, 5, f"{document.title} · {document.subtitle} · {self.page_no()}/{{nb}}")

    sheet = Sheet("landscape", "mm", "A4")
    sheet.set_creation_date(document.created)
    sheet.set_title(f"{document.title}, {document.subtitle}")
    sheet.set_lang(LOCALES[document.lang])
    sheet.set_margins(11, 11)
    sheet.set_auto_page_break(True, 12)
    sheet.add_font(FAMILY, "", FONTS / f"{FAMILY}.ttf")
    sheet.add_font(FAMILY, "B", FONTS / f"{FAMILY}-Bold.ttf")
    sheet.add_page()
    sheet.set_font(FAMILY, "B", 18)
    sheet.multi_cell(0, 8, document.title, align="L", new_x="LMARGIN", new_y="NEXT")
    sheet.set_font(FAMILY, "", 10)
    sheet.multi_cell(0, 5, document.subtitle, align="L", new_x="LMARGIN", new_y="NEXT")
    sheet.set_font(FAMILY, "B", 9)
    for warning in document.warnings:
        sheet.multi_cell(0, 4.6, warning, align="L", new_x="LMARGIN", new_y="NEXT")
    for section in document.sections:
        if sheet.will_page_break(25):
            sheet.add_page()
        sheet.ln(3)
        sheet.start_section(section.title)
        sheet.set_font(FAMILY, "B", 12)
        sheet.multi_cell(0, 7, section.title, align="L", new_x="LMARGIN", new_y="NEXT")
        sheet.set_font(FAMILY, "", 9)
        for paragraph in section.paragraphs:
            sheet.multi_cell(0, 4.6, paragraph, align="L", new_x="LMARGIN", new_y="NEXT")
        if section.table is not None and section.table.rows:
            _table(sheet, section.table)
    return bytes(sheet.output())


def _with_letters_of_the_font(document: Document) -> Document:
    """The narrow space that does not break, between thousands, as the wider one: the font has no other."""

    def text(value: str) -> str:
        return value.replace("\u202f", "\u00a0")

    def row(cells: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(text, cells))

    def table(given: Table | None) -> Table | None:
        return given and replace(given, rows=tuple(map(row, given.rows)), total=row(given.total))

    sections = (replace(d, paragraphs=row(d.paragraphs), table=table(d.table)) for d in document.sections)
    return replace(document, sections=tuple(sections))


def _table(sheet: FPDF, table: Table) -> None:
    rows = [table.titles, *table.rows, *([table.total] if table.total else [])]
    widths = [min(max(SMALLEST, *(len(row[i]) + 4 for row in rows)), WIDEST) for i in range(len(table.titles))]
    sheet.set_font(FAMILY, "", 6.6)
    sheet.set_draw_color(200)
    with sheet.table(
        col_widths=tuple(widths), line_height=3, padding=(0.4, 1), borders_layout="HORIZONTAL_LINES",
        text_align=tuple("RIGHT" if i in table.numeric else "LEFT" for i in range(len(widths))),
    ) as grid:  # fmt: skip
        for number, cells in enumerate(rows):
            if table.total and number == len(rows) - 1:
                sheet.set_font(FAMILY, "B", 6.6)
            line = grid.row()
            for cell in cells:
                line.cell(cell)
