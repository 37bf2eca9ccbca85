"""One reader per format. Each turns a file into extract tables, or says why it cannot."""
