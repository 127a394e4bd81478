"""Language models as translators, in this process or behind a server."""
