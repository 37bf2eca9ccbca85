{{ staged_extract('grade_points') }}
