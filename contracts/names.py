"""What a name may be that people give to parts of a sweep: an agent, a further server."""

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
