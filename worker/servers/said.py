"""A conversation as chat interfaces and plain completions take it."""

from __future__ import annotations

from worker.servers.base import CallRequest


def messages(request: CallRequest) -> list[dict[str, str]]:
    """Return the conversation with roles, oldest first."""
    made = [] if request.system is None else [{"role": "system", "content": request.system}]
    for asked, answered in request.history:
        made += [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]
    return [*made, {"role": "user", "content": request.prompt}]


def plain_prompt(request: CallRequest) -> str:
    """Return the conversation as one text, without the role marks of any model's chat template.

    An answer stands right behind its prompt, as the model wrote it there, and an empty line before the next one: so each
    turn's text begins with the text before and its answer, and a server's prompt cache knows it.
    """
    system = f"{request.system}\n\n" if request.system else ""
    before = "".join(f"{asked}{answered}\n\n" for asked, answered in request.history)
    return f"{system}{before}{request.prompt}"
