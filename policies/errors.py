"""The one error of the policy package; like those of every package it carries the exit code of a command."""


class PolicyError(ValueError):
    """A policy name, parameter or combination that cannot work; the message names it and what would."""

    exit_code = 2
