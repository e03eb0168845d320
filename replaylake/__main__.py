"""`python -m replaylake`: the command."""

from replaylake.cli import main

if __name__ == "__main__":
    main()
