"""The data workflow behind Norway's follow-up scheme for municipalities (oppfølgingsordningen for kommuner).

Importing the package switches the telemetry of every library off, because none of them has one place of its own for
it that holds in every process: Dagster reads its instance's ``dagster.yaml``, which is a person's own when they set
``DAGSTER_HOME``, and DAGSTER_DISABLE_TELEMETRY, never DO_NOT_TRACK. The package is imported before any of the
libraries is used, and what it sets is passed on to the processes started from here. Dagster's web server and daemon
do not import it: for them the same values stand in ``.env``.
"""

import os

TELEMETRY_OFF = {
    "DAGSTER_DISABLE_TELEMETRY": "yes",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "DO_NOT_TRACK": "1",
    "GX_ANALYTICS_ENABLED": "false",
}

os.environ.update(TELEMETRY_OFF)
