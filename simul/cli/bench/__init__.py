"""`simul bench`: what this machine can do."""

from __future__ import annotations
