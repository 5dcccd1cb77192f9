"""Other simulations of the same design, to compare how fast they are."""

from .errors import translated_errors

__all__ = ["Peer", "peer_names"]


def peer_names():
    """Every simulation that there is, ours included, and what runs in it.

    Returns
    -------
    dict of str to str
    """
    from systolith_sim.peers import PEERS

    return dict(PEERS)


class Peer:
    """One of the simulations, built.

    Parameters
    ----------
    name : str
        One of :func:`peer_names`.
    config : ArrayConfig
    latency_cycles : int
        Of the memory; cocotb's has none that can be chosen.
    progress : callable or None
        Called with a line of text before anything that takes long.

    Members
    -------
    build_seconds : float or None
        Processor time that building it took; None if that is not known.

    Raises
    ------
    TargetUnavailable
        If it cannot be built.
    """

    def __init__(self, name, config, *, latency_cycles, progress=None):
        self.name = name
        self._config = config
        with translated_errors(f"simulation {name}"):
            from systolith_sim.peers import open_peer

            self._peer = open_peer(name, config, latency_cycles=latency_cycles, progress=progress)
        self.build_seconds = self._peer.build_seconds

    @staticmethod
    def missing(name):
        """What to do before the simulation of that name can be built; None: nothing."""
        from systolith_sim.peers import missing_remedy

        return missing_remedy(name)

    def run(self, *, m, k, n, count):
        """Simulate a queue of ``count`` products on the whole accelerator.

        Parameters
        ----------
        m, k, n, count : int

        Returns
        -------
        systolith_sim.peers.Outcome

        Raises
        ------
        ProtocolError
            If the simulation fails.
        """
        from systolith_sim.peers import Job

        job = Job(self._config, m=m, k=k, n=n, count=count)
        with translated_errors(f"simulation {self.name}"):
            return self._peer.run(job)
