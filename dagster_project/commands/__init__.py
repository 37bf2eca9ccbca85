"""The commands of `oppfolging`, a module per kind of work. Each is thin: it calls the rooms and prints."""
