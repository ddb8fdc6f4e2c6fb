"""`python -m ipfs_accel` is the command `ipfs-accel`."""

from ._cli import main

if __name__ == "__main__":
    main()
