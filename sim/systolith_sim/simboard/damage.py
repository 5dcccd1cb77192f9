"""What a bad line does to bytes."""

import random
from typing import NamedTuple

__all__ = ["Byte", "Damage"]


class Byte(NamedTuple):
    """A byte as it comes out of a line.

    Parameters
    ----------
    value : int
    delay : int
        How much later than it would, in bytes' time.
    """

    value: int
    delay: int


class Damage:
    """Flips a bit of a byte, loses it, doubles it, or delays it and what follows.

    Parameters
    ----------
    rate : float
        Probability for each byte; the four are equally likely.
    seed : int
        The same bytes with the same seed are damaged in the same way.
    delay_max : int
        Longest delay, in bytes' time.

    Members
    -------
    count : int
        Bytes damaged so far.

    Raises
    ------
    ValueError
        If ``rate`` is not from 0 to 1.
    """

    def __init__(self, rate, *, seed, delay_max):
        if not 0 <= rate <= 1:
            raise ValueError(f"rate must be from 0 to 1, not {rate}")
        self._rate = rate
        self._random = random.Random(seed)  # noqa: S311 -- no secret
        self._delay_max = delay_max
        self.count = 0

    def pass_through(self, data):
        """What comes out of the line.

        Parameters
        ----------
        data : bytes

        Returns
        -------
        list of Byte
        """
        result = []
        for value in data:
            if self._random.random() >= self._rate:
                result.append(Byte(value, 0))
                continue
            self.count += 1
            match self._random.randrange(4):
                case 0:
                    result.append(Byte(value ^ 1 << self._random.randrange(8), 0))
                case 1:
                    pass
                case 2:
                    result += [Byte(value, 0), Byte(value, 0)]
                case 3:
                    result.append(Byte(value, self._random.randint(1, self._delay_max)))
        return result
