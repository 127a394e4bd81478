"""Recordings through sessions: evaluation, sweeps, traces, curves and the experiment of Dugan et al. 2023."""
