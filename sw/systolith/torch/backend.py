"""``torch.compile(model, backend="systolith", options={…})``."""

import warnings
import weakref

from systolith_hw import ArrayConfig
from torch.utils.weak import TensorWeakRef

from systolith.opening import check_device, open_device

from .engine import Engine
from .graph import Rewriter
from .report import HOST
from .rules import find_rule
from .scheme import PER_TOKEN

__all__ = ["compiled_rows", "systolith"]


class Session:
    """What the graphs compiled with the same options share: a device, and the weights on it.

    Parameters
    ----------
    options : dict
        See :func:`systolith`; held, so that no other dict can have its ``id``.
    """

    def __init__(self, options):
        self.options = options
        self._given = dict(options)
        options = dict(options)
        verifier, scheme = options.pop("verifier", None), options.pop("scheme", PER_TOKEN)
        if "device" in options:
            device = options.pop("device")
            check_device(device)
            if options:
                raise ValueError(f"a device that is open takes no options, but came with {_names(options)}")
        elif "target" in options:
            array = options.pop("array", None)
            config = ArrayConfig.parse(array) if isinstance(array, str) else array
            device = open_device(options.pop("target"), config, **options)
            weakref.finalize(self, device.close)
        else:
            raise ValueError(
                'say where the model runs: options={"device": device}, with what systolith.open_device '
                'returns, or options={"target": "rtl", "array": "16x16"}, not '
                + (_names(options) or "no options")
            )
        self.engine = Engine(device, verifier, scheme)
        self._graphs = weakref.WeakSet()

    def check_unchanged(self):
        """Check that the options are what the device was opened with.

        Raises
        ------
        ValueError
        """
        if self.options != self._given:
            raise ValueError(
                "options were changed after a model was compiled with them, and torch does not compile it "
                "again for that: give torch.compile another dict"
            )

    def rows(self, parameters):
        """What became of the graphs that use one of some parameters.

        Parameters
        ----------
        parameters : set of int
            Their ``id``.

        Returns
        -------
        dict of tuple of str to Row
        """
        return {
            (row.where, row.what): row
            for graph in self._graphs
            if any(id(reference()) in parameters for reference in graph.systolith_parameters)
            for row in graph.systolith_rows
        }

    def compile(self, graph_module, example_inputs):
        """The function that computes a graph, its matrix products on the device."""
        self.check_unchanged()
        rewriter = Rewriter(graph_module, example_inputs, self.engine)
        rows = rewriter.run(find_rule)
        nothing = all(row.place == HOST for row in rows)
        if nothing and (rows or not self._graphs):
            why = ", ".join(f"{row.where} ({row.why})" for row in rows) or "it multiplies no matrices"
            warnings.warn(f"a compiled graph has nothing to run on the device: {why}", stacklevel=2)
        graph_module.systolith_session = self
        graph_module.systolith_rows = rows
        graph_module.systolith_parameters = [TensorWeakRef(parameter) for parameter in rewriter.parameters]
        self._graphs.add(graph_module)
        forward = graph_module.forward

        def run(*args):
            self.check_unchanged()
            return forward(*args)

        return run


_sessions: weakref.WeakValueDictionary[int, Session] = weakref.WeakValueDictionary()
"""The ``id`` of options to their session, for as long as a graph compiled with them is kept by torch."""


def compiled_rows(model):
    """What became of everything in a compiled model that multiplies matrices, as far as it has run.

    Returns
    -------
    list of Row
    """
    parameters = {id(parameter) for parameter in model.parameters()}
    rows = {}
    for session in list(_sessions.values()):
        rows.update(session.rows(parameters))
    return list(rows.values())


def _names(options):
    return ", ".join(repr(name) for name in options)


def systolith(graph_module, example_inputs, *, options=None):
    """Compile a graph for the device: the backend that torch finds by the name ``"systolith"``.

    ``linear``, ``matmul``, ``mm``, ``bmm``, ``addmm``, ``baddbmm``, ``einsum`` of two operands,
    ``scaled_dot_product_attention``, ``multi_head_attention_forward`` and the fast path of
    ``nn.TransformerEncoderLayer`` run on the device with int8 operands, parameters packed here, once; the
    rest of the graph runs on the host, as it is. Other sequence lengths need no other hardware, and no weight
    is packed again for them. :func:`~systolith.torch.report` tells what runs where.

    Parameters
    ----------
    graph_module : GraphModule
        From Dynamo.
    example_inputs : sequence
        What its placeholders stand for.
    options : dict
        ``"device"``: an open :class:`~systolith.Device`; or ``"target"`` and, unless its default is meant,
        ``"array"``, such as ``"8x32"`` or an :class:`~systolith.ArrayConfig`, with more options of
        :func:`systolith.open_device`: the device is then closed when torch forgets the compiled model.
        ``"verifier"`` and ``"scheme"``: see :func:`~systolith.torch.offload`, whose labels are the same.
        What is compiled with the same dict shares a device; the dict must not be changed afterwards.

    Returns
    -------
    callable

    Raises
    ------
    TypeError, ValueError
        If an option is wrong or was changed since, or a weight holds NaN or infinity.
    DeviceError
        If the target cannot be opened, or device memory is exhausted.
    """
    options = {} if options is None else options
    session = _sessions.get(id(options))
    if session is None:
        session = _sessions[id(options)] = Session(options)
    return session.compile(graph_module, example_inputs)
