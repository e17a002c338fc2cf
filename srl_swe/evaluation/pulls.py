"""Task images from a registry: looked for before a run, pulled with patience, removed when space is short.

Cache levels: `keep` removes nothing; `space` (the default) removes images that this run pulled, the longest unused
first, while less than `low_bytes` is free; `none` removes each image that this run pulled as soon as its task is done.
An image that was there before is never removed.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from srl_swe_envs.errors import ConfigError, WorkspaceError
from srl_swe_envs.workspaces.docker.engine import engine_errors, thread_client

CacheLevel: TypeAlias = Literal["keep", "space", "none"]

IMAGE_BYTES = 3 << 30
"""What an image of SWE-bench takes, roughly, unpacked; layers that images share are counted once each time."""
ANONYMOUS_PULLS = 100
"""Pulls that Docker Hub allows an anonymous address in six hours (an authenticated account has 200)."""


@dataclass(slots=True, kw_only=True)
class Images:
    """The images of one run. Safe to use from several threads."""

    cache: CacheLevel = "space"
    low_bytes: int = 20 << 30
    attempts: int = 6
    first_pause_s: float = 5.0
    said: Callable[[str], None] = print
    pull: Callable[[str], None] | None = None
    """Pulls one image; by default through the engine. Raises WorkspaceError."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _locks: dict[str, threading.Lock] = field(default_factory=dict)
    _in_use: dict[str, int] = field(default_factory=dict)
    _pulled: dict[str, float] = field(default_factory=dict)
    """Images that this run pulled, with the time of their last use."""

    def preflight(self, images: Sequence[str]) -> None:
        """Say what will be pulled; raises ConfigError when the disk can't hold even what is needed at once."""
        missing = [image for image in dict.fromkeys(images) if image and not _present(image)]
        if not missing:
            return
        free = free_bytes()
        needed = IMAGE_BYTES * (len(missing) if self.cache == "keep" else 1)
        self.said(f"{len(missing)} images are to be pulled (about {IMAGE_BYTES * len(missing) >> 30} GiB unpacked)")
        if free is not None and free < needed:
            raise ConfigError(
                f"the images need about {needed >> 30} GiB and {free >> 30} GiB are free; "
                + ("use --cache space, or free some space" if self.cache == "keep" else "free some space")
            )
        if len(missing) > ANONYMOUS_PULLS and any("/" not in image or _hub(image) for image in missing):
            self.said(
                f"Docker Hub lets an anonymous address pull about {ANONYMOUS_PULLS} images in six hours: "
                "log in, or expect pauses"
            )

    @contextlib.contextmanager
    def held(self, image: str) -> Iterator[None]:
        """Have an image on this machine while the block runs; raises WorkspaceError when it can't be had."""
        if not image:
            yield
            return
        with self._lock:
            self._in_use[image] = self._in_use.get(image, 0) + 1
            lock = self._locks.setdefault(image, threading.Lock())
        try:
            with lock:
                if not _present(image):
                    self._make_room()
                    self._pull(image)
                    with self._lock:
                        self._pulled[image] = time.monotonic()
            yield
        finally:
            self._released(image)

    def _released(self, image: str) -> None:
        with self._lock:
            self._in_use[image] -= 1
            unused = not self._in_use[image]
            if image in self._pulled:
                self._pulled[image] = time.monotonic()
        if unused and self.cache == "none" and image in self._pulled:
            self._remove(image)

    def _make_room(self) -> None:
        while self.cache != "keep" and (free := free_bytes()) is not None and free < self.low_bytes:
            with self._lock:
                unused = [name for name in self._pulled if not self._in_use.get(name)]
            if not unused:
                return
            self._remove(min(unused, key=lambda name: self._pulled[name]))

    def _remove(self, image: str) -> None:
        with self._lock:
            self._pulled.pop(image, None)
        with contextlib.suppress(WorkspaceError), engine_errors(f"removing {image}"):
            thread_client().api.remove_image(image)
            self.said(f"removed {image}")

    def _pull(self, image: str) -> None:
        """Pull with growing pauses: a registry that refuses for now (429) takes longer than a lost connection."""
        failure: WorkspaceError | None = None
        for attempt in range(self.attempts):
            if failure is not None:
                patience = 6 if "429" in str(failure) or "toomanyrequests" in str(failure).lower() else 1
                pause_s = self.first_pause_s * 2 ** (attempt - 1) * patience
                self.said(f"pulling {image} failed ({failure}); again in {pause_s:.0f} s")
                time.sleep(pause_s)
            try:
                (self.pull or self._pull_by_engine)(image)
                return
            except WorkspaceError as error:
                failure = error
                if "not found" in str(error).lower() or "manifest unknown" in str(error).lower():
                    break
        raise WorkspaceError(f"image {image} is not on this machine and can't be pulled: {failure}") from failure

    def _pull_by_engine(self, image: str) -> None:
        repository, _, tag = image.rpartition(":") if ":" in image.rsplit("/", 1)[-1] else (image, "", "latest")
        said_at = time.monotonic()
        layers: dict[str, tuple[int, int]] = {}
        with engine_errors(f"pulling {image}"):
            for event in thread_client().api.pull(repository, tag=tag, stream=True, decode=True):
                if "error" in event:
                    raise WorkspaceError(f"pulling {image}: {event['error']}")
                _note(layers, event)
                if time.monotonic() - said_at > 10:
                    said_at = time.monotonic()
                    done, total = (sum(part) for part in zip(*layers.values(), strict=True)) if layers else (0, 0)
                    self.said(f"pulling {image}: {done >> 20} of {total >> 20} MiB")


def free_bytes() -> int | None:
    """Free space where the engine keeps its images; None when that is not this machine's disk."""
    with engine_errors("asking the engine where its data lies"):
        root = Path(str(thread_client().api.info()["DockerRootDir"]))
    try:
        return shutil.disk_usage(root).free
    except OSError:
        return None


def _present(image: str) -> bool:
    import docker.errors

    with engine_errors(f"looking for image {image}"):
        try:
            thread_client().api.inspect_image(image)
        except docker.errors.ImageNotFound:
            return False
    return True


def _hub(image: str) -> bool:
    """Whether a name without a registry's host stands for Docker Hub's."""
    first = image.split("/", 1)[0]
    return "." not in first and ":" not in first and first != "localhost"


def _note(layers: dict[str, tuple[int, int]], event: dict[str, Any]) -> None:
    detail = event.get("progressDetail") or {}
    if event.get("status") == "Downloading" and detail.get("total"):
        layers[str(event.get("id"))] = (int(detail.get("current", 0)), int(detail["total"]))
