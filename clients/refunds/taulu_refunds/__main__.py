"""Run the refund system with `python -m taulu_refunds`."""

from taulu_refunds.main import main

if __name__ == "__main__":
    main()
