"""Which public argument has a test of its effect."""

COVERED: set = set()


def covers(maker, *names):
    """Notes that a test asserts what the arguments `names` of a class or a function do."""
    COVERED.update((maker, name) for name in names)
    return lambda test: test
