"""The fictional country says the same in every layout it is written in."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from dagster_project.demo.country import Fabelland
from dagster_project.intake.read import read_file
from tests.faults import museum

PLACES = ["source_row", "source_column", "source_sha256"]
ORDER = [(name, "ascending") for name in ("unit_level", "unit_code", "municipality_code", "school_year", "grade",
                                          "indicator", "ownership")]  # fmt: skip


def cells(*paths: Path) -> pa.Table:
    """The cells of units at home, without their places; several files are sent as one zip."""
    path = paths[0]
    if len(paths) > 1:
        path = museum.zipped({p.name: p.read_bytes() for p in paths})(path.with_suffix(".zip"))
    (found,) = read_file(path, "a" * 64)
    return found.table.filter(pc.invert(found.table["abroad"])).drop_columns(PLACES).sort_by(ORDER)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Path]]:
    """Codes, grade points and the autumn of 2025 in each layout, by the name of the file."""
    found = {}
    for name, layout in {"downloads": {}, "pivots": {"pivots": True}, "access": {"starred": True}}.items():
        land, folder = Fabelland(**layout), tmp_path_factory.mktemp(name)
        paths = [*land.write_registers(folder), *land.write_autumn(folder, 2025), land.write_spring(folder, 2024)]
        found[name] = {p.name: p for p in paths}
    return found


@pytest.mark.parametrize("stem", ["fabelland_2025-26_Nasjonale_proever_5._trinn", "fabelland_Grunnskolepoeng"])
def test_a_pivot_with_its_list_of_units_holds_the_cells_of_the_download(
    written: dict[str, dict[str, Path]], stem: str
) -> None:
    of_pivot = cells(written["pivots"][f"{stem}.json"], written["pivots"]["fabelland_filterVerdier.json"])
    assert of_pivot.num_rows > 10_000 and of_pivot.equals(cells(written["downloads"][f"{stem}.csv"]))


def test_who_has_access_sees_the_same_figures_and_those_that_are_hidden(written: dict[str, dict[str, Path]]) -> None:
    name = "fabelland_2025-26_Nasjonale_proever_5._trinn.csv"
    public, full = cells(written["downloads"][name]), cells(written["access"][name])
    hidden = pc.equal(public["state"], "suppressed")
    assert full["restricted"].equals(hidden) and pc.sum(hidden).as_py() > 1_000
    assert set(full.filter(hidden)["state"].to_pylist()) == {"observed"}
    shown = pc.invert(hidden)
    assert full.filter(shown).equals(public.filter(shown))
