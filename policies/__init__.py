"""Read/write policies: when a simultaneous translator may commit what it has decoded."""

from policies.align_att import AlignAtt
from policies.align_bridge import AlignBridge
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
    Word,
)
from policies.combinators import AllOf, AnyOf, Then
from policies.confidence_aware import ConfidenceAware
from policies.consensus import Consensus
from policies.edatt import EDAtt
from policies.errors import PolicyError
from policies.gate import Gate
from policies.greedy import Greedy
from policies.hold_n import HoldN
from policies.local_agreement import LocalAgreement
from policies.loop_guard import LoopGuard
from policies.offline import Offline
from policies.parameters import Parameter
from policies.pause import Pause
from policies.phrase_hold import PhraseHold
from policies.punctuation_hold import PunctuationHold
from policies.registry import PolicyInfo, describe, make_policy, policy_names
from policies.segment_confidence import SegmentConfidence
from policies.shared_prefix import SharedPrefix
from policies.sliding_window import SlidingWindow
from policies.stream_att import StreamAtt
from policies.switch import Switch
from policies.timeout import Timeout
from policies.token_confidence import TokenConfidence
from policies.wait_k import WaitK
from policies.word_hold import WordHold

__all__ = [
    "Activity",
    "AlignAtt",
    "AlignBridge",
    "Alignment",
    "AllOf",
    "AnyOf",
    "Candidate",
    "ConfidenceAware",
    "Consensus",
    "Decision",
    "EDAtt",
    "Evidence",
    "Gate",
    "Greedy",
    "HoldN",
    "LocalAgreement",
    "LoopGuard",
    "Need",
    "Offline",
    "Parameter",
    "Pause",
    "PhraseHold",
    "Plan",
    "PlanKind",
    "Policy",
    "PolicyError",
    "PolicyInfo",
    "PunctuationHold",
    "Segment",
    "SegmentConfidence",
    "SharedPrefix",
    "SlidingWindow",
    "SourceView",
    "StopRule",
    "StreamAtt",
    "Switch",
    "Then",
    "Timeout",
    "TokenConfidence",
    "WaitK",
    "Word",
    "WordHold",
    "describe",
    "make_policy",
    "policy_names",
]
