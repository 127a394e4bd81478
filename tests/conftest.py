"""Settings of all tests: how long an example takes is the machine's affair, so hypothesis sets it no deadline."""

from hypothesis import settings

settings.register_profile("simul", deadline=None)
settings.load_profile("simul")
