"""The images that containers start from: a task's image as it is, or prepared once and committed."""

from __future__ import annotations

import threading

from .container import GuestContainer, remove_image
from .spec import ContainerSpec


class PristineImages:
    """Prepares each spec at most once. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._locks: dict[ContainerSpec, threading.Lock] = {}
        self._prepared: dict[ContainerSpec, str] = {}

    def start(self, spec: ContainerSpec) -> GuestContainer:
        """A fresh container of the spec; the first call for a spec with `prepare` takes as long as that does.

        Raises WorkspaceError, and whatever `prepare` raises (ConfigError when a guard refuses the image).
        """
        return GuestContainer.start(spec, image=self.image_for(spec))

    def image_for(self, spec: ContainerSpec) -> str:
        """The image that the spec's containers start from."""
        if spec.prepare is None:
            return spec.image
        with self._lock:
            lock = self._locks.setdefault(spec, threading.Lock())
        with lock:
            if spec not in self._prepared:
                self._prepared[spec] = _prepare(spec)
            return self._prepared[spec]

    def close(self) -> None:
        """Remove the prepared images; no container of theirs may be left."""
        with self._lock:
            images, self._prepared = list(self._prepared.values()), {}
        for image in images:
            remove_image(image)


def _prepare(spec: ContainerSpec) -> str:
    assert spec.prepare is not None
    container = GuestContainer.start(spec, image=spec.image)
    try:
        spec.prepare(container.client)
        container.client.sweep()
        return container.commit()
    finally:
        container.remove()
