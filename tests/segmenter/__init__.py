"""Tests of the segmenter."""
