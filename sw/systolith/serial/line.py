"""The bytes of a serial port."""

import contextlib
import errno
import os
import select
import termios

from systolith.errors import LinkError, TargetUnavailable

__all__ = ["Line"]

WRITE_SECONDS = 5.0
"""After which a port that takes no bytes counts as broken."""

RECEIVE_BYTES = 1 << 16
"""Most bytes that are fetched at once."""


class Line:
    """An open serial port: eight data bits, no parity, one stop bit.

    Parameters
    ----------
    port : str
        Such as ``/dev/ttyUSB0``.
    baud : int
        Bits per second.

    Members
    -------
    is_pseudo_terminal : bool
        Whether there is a program at the other end, for which time on the wall may mean nothing.

    Raises
    ------
    TargetUnavailable
        If pyserial is missing, or the port is not there, must not be used, or is no serial port.
    """

    def __init__(self, port, baud):
        try:
            import serial
        except ModuleNotFoundError:
            raise TargetUnavailable(
                "target serial needs the Python module serial: pip install 'systolith[serial]'"
            ) from None
        self.name = port
        self.is_pseudo_terminal = os.path.realpath(port).startswith("/dev/pts/")
        try:
            self._port = serial.Serial(
                port, baudrate=baud, timeout=0, write_timeout=WRITE_SECONDS, exclusive=True
            )
        except (OSError, ValueError, OverflowError, termios.error) as error:
            raise TargetUnavailable(_why_not_open(port, baud, error)) from error
        # Else an adapter may keep what it received for 16 ms. Not every one can be told.
        with contextlib.suppress(OSError, ValueError, NotImplementedError):
            self._port.set_low_latency_mode(True)

    def send(self, data):
        """Send bytes.

        Raises
        ------
        LinkError
            If the port is gone, or takes no bytes.
        """
        with self._errors_told():
            self._port.write(data)

    def receive(self, seconds):
        """What has arrived; waits until something has, for at most so long.

        Returns
        -------
        bytes
            Empty if nothing has arrived.

        Raises
        ------
        LinkError
            If the port is gone.
        """
        with self._errors_told():
            # Another timeout would have pyserial set the port up again, with bytes on their way.
            if not select.select([self._port], [], [], seconds)[0]:
                return b""
            return self._port.read(RECEIVE_BYTES)

    def discard(self):
        """Forget what has arrived and what is not yet sent.

        Raises
        ------
        LinkError
            If the port is gone.
        """
        with self._errors_told():
            self._port.reset_output_buffer()
            self._port.reset_input_buffer()

    def close(self):
        """Give the port up. May be called again."""
        # What is still to be sent would keep a port from closing whose other end takes nothing.
        with contextlib.suppress(OSError, termios.error):
            if self._port.is_open:
                self._port.reset_output_buffer()
        with contextlib.suppress(OSError, termios.error):
            self._port.close()

    @contextlib.contextmanager
    def _errors_told(self):
        from serial import SerialTimeoutException

        try:
            yield
        except SerialTimeoutException as error:
            raise LinkError(
                f"the port {self.name} takes no bytes: whatever is at its other end has stopped"
            ) from error
        except (OSError, termios.error) as error:
            raise LinkError(
                f"the port {self.name} failed: {error}; is the board still connected? Open the device again"
            ) from error


def _why_not_open(port, baud, error):
    number = getattr(error, "errno", None)
    if number in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        return f"there is no port {port}; those that are there: {_present_ports()}"
    if number in (errno.EACCES, errno.EPERM):
        return (
            f"no permission to use {port}: add yourself to its group with "
            "'sudo usermod -aG dialout $USER' and log in again"
        )
    if number in (errno.EAGAIN, errno.EBUSY):
        return f"the port {port} is in use by another program"
    if not _is_serial(port):
        return f"{port} is no serial port"
    return f"the port {port} cannot be opened at {baud} baud: {error}"


def _is_serial(port):
    try:
        descriptor = os.open(port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        return os.isatty(descriptor)
    finally:
        os.close(descriptor)


def _present_ports():
    from serial.tools.list_ports import comports

    return ", ".join(sorted(port.device for port in comports())) or "none"
