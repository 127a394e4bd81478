"""Mozilla's Firefox translation students: Transformer encoder, SSRU decoder, read from Marian's own files."""
