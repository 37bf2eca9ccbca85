select
    county_code,
    governor_code,
    governor_name,
    valid_from,
    valid_to,
    fictional
from {{ source('parameters', 'county_governors') }}
