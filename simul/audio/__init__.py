"""Audio in and out: PCM formats, streaming resampler, sources (file, standard input, microphone), WAV output.

Inside the toolkit audio is float32 mono at 16 kHz, and a position is a whole number of samples.
"""

from simul.audio.addresses import AddressSource
from simul.audio.container import Listening
from simul.audio.files import FileSource
from simul.audio.intake import AudioChunker, FrameIntake, PcmIntake, to_samples
from simul.audio.level import Level, LevelMeter
from simul.audio.microphone import InputDevice, MicrophoneSource, list_devices
from simul.audio.mixing import ChannelMixer
from simul.audio.pcm import decode_pcm, parse_encoding, replace_bad_samples, to_int16
from simul.audio.resample import StreamResampler, resampled_length
from simul.audio.sources import AudioSource, StdinSource, pace
from simul.audio.wav import WavWriter
from simul.units import SAMPLE_RATE

__all__ = [
    "SAMPLE_RATE",
    "AddressSource",
    "AudioChunker",
    "AudioSource",
    "ChannelMixer",
    "FileSource",
    "FrameIntake",
    "InputDevice",
    "Level",
    "LevelMeter",
    "Listening",
    "MicrophoneSource",
    "PcmIntake",
    "StdinSource",
    "StreamResampler",
    "WavWriter",
    "decode_pcm",
    "list_devices",
    "pace",
    "parse_encoding",
    "replace_bad_samples",
    "resampled_length",
    "to_int16",
    "to_samples",
]
