"""Fetch the files of a school year from the public services, as they answer, into the inbox."""
