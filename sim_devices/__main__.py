"""`python -m sim_devices` is `citynerve-sim`."""

from sim_devices.cli import main

if __name__ == "__main__":
    main()
