"""The parts of the screen. None of them talks to the supervisor."""
