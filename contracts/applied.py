"""What a server makes of an asked parameter, as far as a model's limits tell that beforehand."""

from __future__ import annotations

OUTPUT_LAYER = 1
"""Ollama counts the output layer among those that ``num_gpu`` offloads: a model of 34 layers has 35."""
CERTAIN_CONTEXT = 2048
"""Servers raise shorter contexts: Ollama to 4 tokens, or to 2048 for models that see images."""


def effective(
    parameter: str, asked: int | float | None, layers: int | None, context_max: int | None
) -> int | float | None:
    """Return the value that the server will run with, or ``None`` where the limits don't tell it.

    ``layers``: of the model (its block count); ``context_max``: tokens that it was trained for. Ollama
    offloads as many layers as there are and shortens a longer ``num_ctx`` to the model's context, whatever
    it reports of it. ``asked`` is ``None`` where the parameter is not sent: then the server chooses.
    """
    limit = limit_of(parameter, layers, context_max)
    if asked is None or limit is None or (parameter == "num_ctx" and asked < CERTAIN_CONTEXT):
        return None
    return min(asked, limit)


def limit_of(parameter: str, layers: int | None, context_max: int | None) -> int | None:
    """Return the highest value that changes anything; ``None``: there is no limit, or it is not known."""
    if parameter == "num_gpu":
        return None if layers is None else layers + OUTPUT_LAYER
    return context_max if parameter == "num_ctx" else None
