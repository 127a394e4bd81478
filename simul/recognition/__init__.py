"""Speech recognition that ships with the toolkit: the pocketsphinx recogniser and its language model."""

from __future__ import annotations

from simul.recognition.sphinx import RecognizerConfig, SphinxRecognizer
from simul.recognition.words import Utterance, Word

__all__ = ["RecognizerConfig", "SphinxRecognizer", "Utterance", "Word"]
