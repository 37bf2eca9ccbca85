"""Five years of Fabelland: files arrive, lists are sent out, people reply, rounds are released and followed.

Three rounds: fictional-2023 is released, followed for three years and closed; fictional-2024 is released and still
followed; fictional-2026 waits for one county governor. Follow-up of the first cohort has an effect, of the second none.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from dagster_project.demo import people
from dagster_project.demo.country import SEED, Fabelland, Followed
from dagster_project.rounds import release
from dagster_project.settings import Settings

OVERRIDE = "Fabelland is made up; its limits may be too"
SIGNED = {"by": "Ola Oppdiktet", "reason": "Utdanningsdirektoratet i Fabelland har besluttet"}
FIRST_GAIN, SECOND_GAIN = 0.35, 0.0


def tell(
    settings: Settings, run: Callable[[], None], say: Callable[[str], None], *,
    clock: Callable[[], dt.datetime], seed: int = SEED,
    scale: int = 1,
) -> None:  # fmt: skip
    """Let the years pass: write files into the inbox, ``run`` the pipeline, let people act on what it published.

    ``clock`` says when a release is signed.
    """
    land = Fabelland(scale, seed)
    inbox = settings.inbox

    def answer(round_id: str, year: int, gain: float) -> None:
        """County governors and Udir answer the lists; who is taken is followed from that autumn on."""
        given = people.reply(settings, round_id, dt.date(year, 3, 20))
        members = people.decide(settings, round_id, given, dt.date(year, 4, 12))
        land.followed.append(Followed(_today(land, members), year, gain))

    def release_round(round_id: str) -> None:
        release.finalise(settings, round_id, now=clock(), override=OVERRIDE, **SIGNED)

    say("2017 to winter 2023: the first six school years")
    land.write_registers(inbox)
    for start in range(2017, 2023):
        land.write_autumn(inbox, start)
    land.write_spring(inbox, 2021)
    run()
    say("winter 2024: replies and decisions of 2023, and the figures of 2023-24")
    answer("fictional-2023", 2023, FIRST_GAIN)
    land.write_spring(inbox, 2022)
    land.write_autumn(inbox, 2023)
    run()
    release_round("fictional-2023")
    say("winter 2025: replies and decisions of 2024, the first reports")
    answer("fictional-2024", 2024, SECOND_GAIN)
    people.report(settings, "fictional-2023", 1, dt.date(2024, 9, 20))
    people.support(settings, "fictional-2023", (2023, 2024))
    run()
    release_round("fictional-2024")
    for start in (2024, 2025):
        land.write_autumn(inbox, start)
    land.write_spring(inbox, 2024)
    people.report(settings, "fictional-2023", 2, dt.date(2025, 9, 25))
    people.report(settings, "fictional-2023", 3, dt.date(2026, 9, 28))
    people.report(settings, "fictional-2024", 1, dt.date(2025, 10, 6), missing=2)
    people.support(settings, "fictional-2023", (2023, 2024, 2025, 2026))
    people.support(settings, "fictional-2024", (2024, 2025))
    say("2026: the figures of two more years, two more reports, and the lists of 2026")
    run()
    people.reply(settings, "fictional-2026", dt.date(2026, 3, 20), silent=1)
    people.ask(settings, "fictional-2026", dt.date(2026, 4, 8))
    say("spring 2026: the replies of all county governors but one, and the queries")
    run()
    land.write_truth(settings.home / "demo" / "truth.json")


def _today(land: Fabelland, codes: set[str]) -> frozenset[str]:
    """The codes that these municipalities have after the reform; a divided one lives on in all its parts."""
    old_to_new: dict[str, set[str]] = {}
    for old, _, new, _ in land.country.changes:
        old_to_new.setdefault(old, set()).add(new)
    return frozenset(new for code in codes for new in old_to_new.get(code, {code}))
