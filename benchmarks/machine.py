"""What machine a figure was measured on; every benchmark prints it with its figures."""

from simul.evaluation.machine import describe

__all__ = ["describe"]
