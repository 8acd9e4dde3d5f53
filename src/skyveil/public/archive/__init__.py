"""Recordings: redacted fragments, encrypted, chained and signed, kept for a while and then gone. Public side."""

from skyveil.public.archive.archive import Archive, Stretch
from skyveil.public.archive.checked import Finding
from skyveil.public.archive.heads import Heads
from skyveil.public.archive.holds import Hold, Holds
from skyveil.public.archive.keys import KeyStore
from skyveil.public.archive.recorder import Recorder
from skyveil.public.archive.retention import Policy

__all__ = ["Archive", "Finding", "Heads", "Hold", "Holds", "KeyStore", "Policy", "Recorder", "Stretch"]
