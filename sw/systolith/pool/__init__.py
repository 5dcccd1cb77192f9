"""Several devices at once, each in a process of its own, over one shared memory."""

from .pool import Pool, open_pool
from .worker import Worker

__all__ = ["Pool", "Worker", "open_pool"]
