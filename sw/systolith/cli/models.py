"""The models that commands run, by name, and how they are loaded."""

import enum

import typer

__all__ = ["TITLES", "Model", "load_model"]


class Model(enum.StrEnum):
    """The models that can be run."""

    MINILM = "minilm"
    SMOLLM2 = "smollm2"


TITLES = {Model.MINILM: "all-MiniLM-L6-v2", Model.SMOLLM2: "SmolLM2-135M-Instruct"}

LIBRARIES = ("torch", "transformers")


def load_model(model):
    """Import torch and load a model, with a line on stderr before what takes long.

    Parameters
    ----------
    model : Model

    Returns
    -------
    SentenceModel or LanguageModel

    Raises
    ------
    typer.BadParameter
        If it, or what it needs, is not installed.
    """
    typer.echo(f"loading torch and {TITLES[model]} …", err=True)
    try:
        from systolith.torch.models import MODELS
        from systolith.torch.threads import use_one_thread

        use_one_thread()
        return MODELS[model.value](progress=lambda line: typer.echo(f"{line} …", err=True))
    except ModuleNotFoundError as error:
        if error.name in LIBRARIES:
            message = f"{error.name} is not installed: pip install 'systolith[torch,models]'"
        elif "pip install" in error.msg:
            message = error.msg
        else:
            raise
        raise typer.BadParameter(message, param_hint="MODEL") from None
