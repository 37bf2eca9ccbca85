"""What each form asks for. Headers are Norwegian, since case officers read them; names are those of the extracts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from dagster_project import schema

if TYPE_CHECKING:
    import pyarrow as pa

Kind = Literal["text", "whole", "date", "money", "choice", "code"]


@dataclass(frozen=True)
class Column:
    """One thing a form asks for.

    ``norsk`` is the header people see. ``required`` cells may not be blank. ``locked`` cells are filled in beforehand.
    ``choices`` maps what people choose to what is stored. ``least`` is the smallest number allowed. A form sent out
    before a ``later`` column existed is read without it; ``default`` stands for a cell that is blank or not there.
    ``earlier`` are choices of forms sent out before, which are read and no longer offered. A ``technical`` field says
    which list was sent out; it stands below the table, where nobody has to read it.
    """

    name: str
    norsk: str
    kind: Kind = "text"
    required: bool = True
    locked: bool = False
    choices: Mapping[str, str] = field(default_factory=dict)
    least: int | None = None
    later: bool = False
    default: str | None = None
    earlier: Mapping[str, str] = field(default_factory=dict)
    technical: bool = False
    hint: str = ""
    width: int = 14


@dataclass(frozen=True)
class Form:
    """A form: ``fields`` stand once above the table, ``columns`` make the table, ``key`` makes a line unique.

    ``replaces`` names the columns of the slice that a later form takes over as a whole; without it a later line takes
    the place of an earlier one with the same key.
    """

    dataset: str
    title: str
    fields: tuple[Column, ...]
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    replaces: tuple[str, ...] = ()
    help: tuple[str, ...] = ()


_ROUND = Column("round", "Uttrekk", locked=True, hint="Uttrekkets id, som i listen over uttrekk", width=18)
_COHORT = Column("cohort", "Kull", locked=True, hint="Kullets navn, for eksempel uttrekk_2023", width=16)
_CODE = Column("municipality_code", "Kommunenr", "code", locked=True, hint="Fire siffer", width=11)
_NAME = Column("municipality_name", "Kommune", required=False, locked=True, width=24)

DECISION_CHOICES = {
    "takker ja": "accept",
    "takker nei": "decline",
    "holdes utenfor": "exclude",
    "trekker seg": "withdrew",
    "kalles opp fra reserve": "called_up",
}
EARLIER_DECISIONS = {"tas ut": "exclude"}
"""Read by some as selected."""
GROUPS = {"gjennomsnitt": "average", "spredning": "spread"}
ADVICE = {"bør ikke trekkes ut": "do_not_take"}
EARLIER_ADVICE = {"bør ikke tas ut": "do_not_take"}
SENDERS = {"kommune": "municipality", "veiledere": "guides", "statsforvalter": "county_governor"}
OUTCOMES = {"ubehandlet": "pending", "tatt til følge": "accepted", "avvist": "rejected"}

PRIORITIES = Form(
    schema.GOVERNOR_PRIORITIES,
    "Statsforvalterens vurdering og prioritering",
    fields=(
        replace(_ROUND, technical=True),
        Column("county_governor", "Statsforvalter", locked=True),
        Column("candidate_list_hash", "Kandidatlistens kontrollkode", locked=True, technical=True),
        Column("replied_by", "Utfylt av", hint="Navnet ditt"),
        Column("replied_on", "Dato", "date", hint="Datoen svaret gis"),
    ),
    columns=(
        _CODE,
        _NAME,
        Column(
            "selection_group",
            "Gruppe",
            "choice",
            required=False,
            locked=True,
            later=True,
            choices=GROUPS,
            default="spread",
            hint="Spredning: kommunen skal prioriteres. Gjennomsnitt: den vurderes med ord",
            width=14,
        ),
        Column(
            "priority",
            "Prioritet",
            "whole",
            required=False,
            least=1,
            hint="Bare i spredningsgruppen: 1 er den kommunen som bør velges først",
            width=10,
        ),
        Column(
            "advice",
            "Tilrådning",
            "choice",
            required=False,
            later=True,
            choices=ADVICE,
            earlier=EARLIER_ADVICE,
            hint="Bare i spredningsgruppen: velg «bør ikke trekkes ut» i stedet for en prioritet",
            width=18,
        ),
        Column("reason", "Begrunnelse", required=False, hint="Hvorfor, eller vurderingen av kommunen", width=60),
        Column(
            "conversation_on", "Samtale holdt", "date", required=False, hint="Når dere snakket med kommunen", width=14
        ),
    ),
    key=("round", "county_governor", "municipality_code", "selection_group"),
    replaces=("round", "county_governor"),
    help=(
        "Fyll ut de gule cellene. Resten er låst.",
        "Gi hver kommune i spredningsgruppen sin egen prioritet, fra 1 og oppover. Skriv en begrunnelse, og når "
        "samtalen ble holdt.",
        "Mener dere at en kommune ikke bør trekkes ut, velger dere det under Tilrådning i stedet for en prioritet.",
        "Kommunene i gjennomsnittsgruppen prioriteres ikke. Skriv gjerne en vurdering av dem under Begrunnelse.",
        "Lagre arbeidsboken og send den tilbake. Ikke flytt eller slett rader.",
    ),
)
DECISIONS = Form(
    schema.DECISIONS,
    "Utdanningsdirektoratets beslutninger",
    fields=(),
    columns=(
        _ROUND,
        _CODE,
        _NAME,
        Column("decision", "Beslutning", "choice", choices=DECISION_CHOICES, earlier=EARLIER_DECISIONS, width=22),
        Column("decided_on", "Dato", "date", width=12),
        Column("decided_by", "Besluttet av", width=20),
        Column("reason", "Begrunnelse", required=False, hint="Må fylles ut når en kommune holdes utenfor", width=60),
    ),
    key=("round", "municipality_code", "decision", "decided_on"),
    help=("Én rad per beslutning. En senere beslutning om samme kommune gjelder foran en tidligere.",),
)
REPORTS = Form(
    schema.FOLLOWUP_REPORTS,
    "Mottatte rapporter i oppfølgingsordningen",
    fields=(),
    columns=(
        _COHORT,
        _CODE,
        _NAME,
        Column("report", "Rapport", "whole", least=1, hint="1 etter forfasen, 2 og 3 etter hvert år", width=9),
        Column("sender", "Avsender", "choice", choices=SENDERS, width=16),
        Column("received_on", "Mottatt", "date", width=12),
        Column("reference", "Saksnummer", required=False, width=18),
    ),
    key=("cohort", "municipality_code", "report", "sender"),
)
MEASURES = Form(
    schema.SUPPORT_MEASURES,
    "Støttetiltak i oppfølgingsordningen",
    fields=(),
    columns=(
        _COHORT,
        _CODE,
        _NAME,
        Column("year", "År", "whole", least=2017, width=8),
        Column("measure", "Tiltak", width=36),
        Column("competence_environment", "Kompetansemiljø", width=28),
        Column("applied", "Søkt", "money", width=14),
        Column("granted", "Innvilget", "money", width=14),
        Column("spent", "Brukt", "money", required=False, width=14),
    ),
    key=("cohort", "municipality_code", "year", "measure", "competence_environment"),
)
QUERIES = Form(
    schema.ROUND_QUERIES,
    "Spørsmål fra kommunene i innsynsperioden",
    fields=(),
    columns=(
        _ROUND,
        Column("query_id", "Nr", hint="Eget nummer, for eksempel S7", width=8),
        _CODE,
        _NAME,
        Column("received_on", "Mottatt", "date", width=12),
        Column("ground", "Hva kommunen mener", width=60),
        Column("outcome", "Utfall", "choice", choices=OUTCOMES, width=16),
        Column("outcome_on", "Avgjort", "date", required=False, width=12),
        Column("effect", "Virkning", required=False, hint="Hva som rettes, når spørsmålet tas til følge", width=40),
        Column("handled_by", "Behandlet av", required=False, width=20),
    ),
    key=("round", "query_id"),
)
OFFICIAL_LIST = Form(
    schema.SELECTED_MUNICIPALITY,
    "Offisiell liste over uttrukne kommuner",
    fields=(),
    columns=(
        _ROUND,
        Column("municipality_code", "Kommunenummer", "code", locked=True, hint="Fire siffer", width=15),
        _NAME,
        Column("selection_group", "Gruppe", "choice", choices=GROUPS, width=14),
        Column("source", "Kilde", hint="Hvor listen er publisert: adresse eller saksnummer", width=60),
    ),
    key=("round", "municipality_code"),
    replaces=("round",),
    help=(
        "Én rad per kommune på listen. Send hele listen: en ny liste for et uttrekk erstatter den forrige.",
        "Listen sammenlignes med det beregnede uttrekket. Den endrer ingen plass, andel eller beslutning.",
    ),
)
FORMS = {form.dataset: form for form in (PRIORITIES, DECISIONS, REPORTS, MEASURES, QUERIES, OFFICIAL_LIST)}


def form_schema(dataset: str) -> pa.Schema:
    """Columns of the extract of a dataset people fill in. One row is one line of a form."""
    import pyarrow as pa

    kinds = {"whole": pa.int32(), "date": pa.date32(), "money": pa.decimal128(18, 2)}
    form = FORMS[dataset]
    named = [(c.name, kinds.get(c.kind, pa.string())) for c in (*form.fields, *form.columns)]
    place = [("source_sha256", pa.string()), ("source_row", pa.int64()), ("source_column", pa.string())]
    return pa.schema([*named, ("fictional", pa.bool_()), *place])
