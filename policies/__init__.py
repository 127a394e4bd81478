"""Read/write policies: when a simultaneous translator may commit what it has decoded."""

from policies.base import (
    Activity,
    Alignment,
    Candidate,
    Decision,
    Evidence,
    Need,
    Plan,
    PlanKind,
    Policy,
    Segment,
    SourceView,
    StopRule,
)
from policies.errors import PolicyError
from policies.local_agreement import LocalAgreement
from policies.offline import Offline

__all__ = [
    "Activity",
    "Alignment",
    "Candidate",
    "Decision",
    "Evidence",
    "LocalAgreement",
    "Need",
    "Offline",
    "Plan",
    "PlanKind",
    "Policy",
    "PolicyError",
    "Segment",
    "SourceView",
    "StopRule",
]
