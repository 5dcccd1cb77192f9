"""The models that commands run, by name, and how they are loaded."""

import enum

import typer

from .output import progress

__all__ = ["TITLES", "Model", "load_model", "weight_facts"]


class Model(enum.StrEnum):
    """The models that can be run."""

    MINILM = "minilm"
    SMOLLM2 = "smollm2"


TITLES = {Model.MINILM: "all-MiniLM-L6-v2", Model.SMOLLM2: "SmolLM2-135M-Instruct"}

LIBRARIES = ("torch", "transformers")


def load_model(model, *, layers=None):
    """Import torch and load a model, with a line on stderr before what takes long.

    Parameters
    ----------
    model : Model
    layers : int or None
        Only the first so many; None: all.

    Returns
    -------
    SentenceModel or LanguageModel

    Raises
    ------
    typer.BadParameter
        If it, or what it needs, is not installed, or it has not so many layers.
    """
    progress(f"loading torch and {TITLES[model]}")
    try:
        from systolith.torch.models import MODELS
        from systolith.torch.threads import use_one_thread

        use_one_thread()
        return MODELS[model.value](layers=layers, progress=progress)
    except ModuleNotFoundError as error:
        if error.name in LIBRARIES:
            message = f"{error.name} is not installed: pip install 'systolith[torch,models]'"
        elif "pip install" in error.msg:
            message = error.msg
        else:
            raise
        raise typer.BadParameter(message, param_hint="MODEL") from None
    except ValueError as error:
        if layers is None:
            raise
        raise typer.BadParameter(str(error), param_hint="--layers") from None


def weight_facts(module):
    """What the results tell of an offloaded model's weights; on stderr, how much memory is missing for them.

    Parameters
    ----------
    module : Module
        From :func:`systolith.torch.offload`.

    Returns
    -------
    dict
    """
    from systolith.torch.residency import residency

    found = residency(module)
    if found.resident_bytes < found.weight_bytes:
        typer.echo(
            f"the device's memory holds {found.resident_bytes:,} of {found.weight_bytes:,} bytes of weights, "
            f"the others are copied with every product: it would need {found.needed_bytes:,} bytes …",
            err=True,
        )
    return {"weight_bytes": found.weight_bytes, "resident_weight_bytes": found.resident_bytes}
