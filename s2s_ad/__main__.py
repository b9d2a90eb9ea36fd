"""`python -m s2s_ad` is the command `s2sad`."""

from s2s_ad.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
