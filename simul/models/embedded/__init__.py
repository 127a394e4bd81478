"""The models that ship with the toolkit: an English recogniser and small translators."""
