"""How many live streams a machine holds, with the engine and in the ways that it is compared with."""

from __future__ import annotations
