select
    school_code,
    school_name,
    municipality_code,
    county_code,
    ownership,
    special,
    closed_on,
    governor_code,
    case when fictional then 'fictional' else 'official' end as origin
from {{ source('extracts', 'school_register') }}
