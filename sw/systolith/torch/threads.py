"""How many threads the host's share of an offloaded model gets."""

import torch

__all__ = ["use_one_thread"]


def use_one_thread():
    """Keep torch to one thread in this process.

    What an offloaded model leaves to the host is many small operations. Threads gain nothing on them, wait
    for each other where cores are busy, and take time from the simulation while they wait.
    """
    torch.set_num_threads(1)
