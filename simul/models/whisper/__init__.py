"""Whisper on CTranslate2 and on torch."""
