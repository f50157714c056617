"""A cluster that is simulated: as many workers as one likes, under the real driver, in real time."""
