"""Our sessions inside other programs: SimulEval, simulstream, and code written for whisper_streaming."""
