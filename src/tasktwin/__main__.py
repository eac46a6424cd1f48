"""``python -m tasktwin``."""

from tasktwin.cli import main

if __name__ == "__main__":
    main()
