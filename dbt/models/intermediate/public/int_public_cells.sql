-- May each judged cell be shown to everybody?
{{ public_judged(ref('int_public_source_cells')) }}
