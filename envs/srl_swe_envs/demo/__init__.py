"""The demo world: small packages, planted bugs, and a scripted expert that fixes them."""

from .tasks import HELD_OUT_PACKAGES, DemoTask, Split, demo_task, load_demo_tasks, materialise

__all__ = ["HELD_OUT_PACKAGES", "DemoTask", "Split", "demo_task", "load_demo_tasks", "materialise"]
