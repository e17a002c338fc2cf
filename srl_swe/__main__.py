"""`python -m srl_swe` is `srl-swe`."""

from .cli import main

if __name__ == "__main__":
    raise SystemExit(main())
