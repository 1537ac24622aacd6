"""What a shell completes: names that the store knows, asked within a second or not at all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from contracts.store import Store

ASK_S = 1.0
"""Whoever pressed the key waits so long at most, for a broker that does not answer or a name that is not resolved."""

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _completed(names: Callable[[Store], Iterable[str]], *, files: bool = False) -> Complete:
    """Return what completes names of the store; ``files``: else files."""

    def complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        known = sorted(set(_asked(ctx.params.get("broker"), names)))
        items = [CompletionItem(name) for name in known if name.startswith(incomplete)]
        return items or ([CompletionItem(incomplete, type="file")] if files else [])

    return complete


def _asked(broker: str | None, names: Callable[[Store], Iterable[str]]) -> list[str]:
    """Return the names; none where the broker does not tell them in time. Nothing is said: it is a key that was pressed."""
    from contracts.redis_client import connect
    from contracts.store import Store
    from producer.broker import find_broker

    found: list[str] = []

    def ask() -> None:
        try:
            url = find_broker(broker)
            if url is not None:
                found.extend(names(Store(connect(url, retries=0))))
        except Exception:  # whatever it is, there is nothing to complete
            return

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(ASK_S)
    return list(found)


def _sweeps_and_executions(store: Store) -> list[str]:
    executions = store.running_executions()
    manifests = [store.manifest(execution) for execution in executions]
    return [*executions, *(manifest.sweep for manifest in manifests if manifest is not None)]


EXECUTIONS = _completed(lambda store: store.running_executions(), files=True)
SWEEPS_AND_EXECUTIONS = _completed(_sweeps_and_executions, files=True)
SLOTS = _completed(lambda store: [slot.slot for slot in store.slots()])
