"""SeamlessM4T v2: speech to text in many languages."""
