select
    dataset,
    school_year,
    source_sha256,
    file,
    place
from {{ source('parameters', 'input_files') }}
