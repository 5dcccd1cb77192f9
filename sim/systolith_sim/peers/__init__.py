"""The same work in five simulations of the accelerator, to compare how fast they are."""

from .job import Job, Outcome
from .open import PEERS, missing_remedy, open_peer

__all__ = ["PEERS", "Job", "Outcome", "missing_remedy", "open_peer"]
