"""A Whisper model on onnxruntime: its networks are built here from the weights, which no other file is needed for."""
