"""Stage mode: one speaker, an audience that reads along, each in a language of its own."""
