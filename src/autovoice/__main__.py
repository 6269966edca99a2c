"""``python -m autovoice``."""

from autovoice.cli.main import main

if __name__ == "__main__":
    main()
