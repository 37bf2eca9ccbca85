"""Random nations under random rules: dbt and the oracle must agree on every row and column."""

from __future__ import annotations

import tempfile
from pathlib import Path
from random import Random

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dagster_project import dbt_step
from dagster_project.settings import load_settings
from tests.oracle.compare import compare_home
from tests.oracle.nation import write_home

ROUNDS_PER_NATION = 30


@settings(
    max_examples=4,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(seed=st.integers(0, 2**32))
def test_dbt_and_the_oracle_agree_on_random_nations(seed: int) -> None:
    rng = Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        write_home(home, rng, ROUNDS_PER_NATION)
        outcome = dbt_step.build(load_settings(home))
        assert outcome.success, [f.as_text() for f in outcome.findings]
        results = compare_home(home)
        assert len(results) == ROUNDS_PER_NATION
        differences = [f"{name}: {d}" for name, c in results.items() for d in c.differences]
        assert not differences, "\n".join(differences[:40])
        assert sum(c.units for c in results.values()) > 500
