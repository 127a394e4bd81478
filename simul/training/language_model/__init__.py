"""The recipe of the embedded recogniser's language model."""
