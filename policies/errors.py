"""The one error of the policy package."""


class PolicyError(ValueError):
    """A policy name, parameter or combination that cannot work; the message names it and what would."""
