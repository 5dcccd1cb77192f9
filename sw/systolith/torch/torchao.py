"""``torchao.quantization.quantize_(model, SystolithConfig(device=device))``."""

import dataclasses

from torchao.core.config import AOBaseConfig
from torchao.quantization import register_quantize_module_handler

from systolith.opening import check_device

from .engine import Engine
from .offload import convert
from .replace import check_weights, replace, replacements
from .undo import Undo
from .verify import Verifier

__all__ = ["SystolithConfig"]


@dataclasses.dataclass(kw_only=True, eq=False)
class SystolithConfig(AOBaseConfig):
    """What torchao's ``quantize_`` is given to have a model's linear layers run on a device.

    .. code-block:: python

        quantize_(model, SystolithConfig(device=device))

    converts every ``nn.Linear``, in place, as :func:`~systolith.torch.offload` does. With
    ``filter_fn=lambda module, name: not name`` it is handed the whole model and converts attention, too.
    Layers that torchao has quantized to int8 keep their integers. A config is for one model: if a layer
    cannot be converted, everything that was converted with it before is as it was.

    Parameters
    ----------
    device : Device
        Open; it must stay open as long as the model is used.
    verifier : Verifier or None
        Compares every product with the golden arithmetic as it runs.

    Raises
    ------
    TypeError
        If ``device`` is not a device.
    """

    device: object
    verifier: Verifier | None = None

    def __post_init__(self):
        check_device(self.device)
        self._engine = Engine(self.device, self.verifier)
        self._undo = Undo()
        self._layers = 0

    def convert(self, module):
        """Convert a module: itself, or everything in it if it is of a kind that is not replaced."""
        site = module.__dict__.get("_systolith")
        if site is not None and site.engine is self._engine:
            return module
        with self._undo as undo:
            cls = replacements().get(type(module))
            if cls is None:
                convert(module, engine=self._engine, undo=undo)
            else:
                label = f"{type(module).__name__}.{self._layers}"
                check_weights(module, label)
                replace(module, cls, engine=self._engine, label=label, undo=undo)
                hook = module.register_forward_pre_hook(_keep_from_fast_path)
                undo.callback(module, _unhook, hook)
                self._layers += 1
        return module


def _keep_from_fast_path(module, inputs):
    """A hook that does nothing.

    That there is one keeps nn.TransformerEncoderLayer from a fused kernel that reads weights past their
    modules. The layer itself is not seen here: torchao hands over one linear layer at a time.
    """


def _unhook(module, hook):  # noqa: ARG001
    hook.remove()


@register_quantize_module_handler(SystolithConfig)
def _convert(module, config):
    return config.convert(module)
