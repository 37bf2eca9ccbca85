{{ staged_extract('national_tests') }}
