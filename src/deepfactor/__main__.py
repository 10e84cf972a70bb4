"""``python -m deepfactor`` is the ``deepfactor`` command."""

from deepfactor.cli import main

if __name__ == "__main__":
    main()
