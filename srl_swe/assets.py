"""Where the prompts, container files and example logs lie: inside a wheel, or at the root of a checkout."""

from pathlib import Path

_BUNDLED = Path(__file__).parent / "_assets"
ROOT = _BUNDLED if _BUNDLED.is_dir() else Path(__file__).parents[1]
