"""Identity of the GPUs, by NVML (the PyPI package nvidia-ml-py)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from contracts.outcome import GpuIdentity


def gpu_identities(indices: Sequence[int] | None = None, nvml: Any = None) -> tuple[GpuIdentity, ...] | None:
    """Return the GPUs that NVML sees, or those of ``indices``; never raises.

    ``None``: there is no NVML here (no driver, no package). A field that NVML does not give is
    ``None``; an index that NVML does not know is left out. ``nvml`` stands in for the module ``pynvml``.
    """
    if nvml is None:
        try:
            import pynvml
        except Exception:  # a broken installation must not fail a measurement
            return None
        nvml = pynvml
    try:
        nvml.nvmlInit()
    except Exception:
        return None
    try:
        driver = _text(nvml.nvmlSystemGetDriverVersion)
        count = _int(nvml.nvmlDeviceGetCount) or 0
        wanted = range(count) if indices is None else [i for i in indices if 0 <= i < count]
        return tuple(_identity(nvml, index, driver) for index in wanted)
    finally:
        _quietly(nvml.nvmlShutdown)


def _identity(nvml: Any, index: int, driver: str | None) -> GpuIdentity:
    handle = _quietly(lambda: nvml.nvmlDeviceGetHandleByIndex(index))
    if handle is None:
        return GpuIdentity(index=index, driver=driver)
    return GpuIdentity(
        index=index,
        name=_text(lambda: nvml.nvmlDeviceGetName(handle)),
        uuid=_text(lambda: nvml.nvmlDeviceGetUUID(handle)),
        driver=driver,
        memory_total_bytes=_int(lambda: nvml.nvmlDeviceGetMemoryInfo(handle).total),
    )


def _quietly(read: Callable[[], Any]) -> Any:
    """Return what ``read`` gives; ``None`` if NVML can't tell."""
    try:
        return read()
    except Exception:  # NVMLError has no common base with a broken driver's OSError or AttributeError
        return None


def _text(read: Callable[[], Any]) -> str | None:
    value = _quietly(read)
    # Bindings before 11.5 return bytes.
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value and str(value)


def _int(read: Callable[[], Any]) -> int | None:
    value = _quietly(read)
    return None if value is None else int(value)
