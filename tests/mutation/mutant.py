"""What a mutant is."""

from typing import NamedTuple


class Mutant(NamedTuple):
    """One mistake in one file.

    Attributes:
        name: in kebab-case, unique.
        path: of the file, from the root of the repository.
        old: a snippet that occurs just once in it.
        new: what it is replaced by.
        note: the mistake, as a reviewer would say it.
        row: the phrase for it in the table of issue 15, where the issue has planted it.
        about: a pattern for what tests of it would name, or be named, besides the code around it;
            they run first.
        equivalent: why nothing can notice it, where that is so.
    """

    name: str
    path: str
    old: str
    new: str
    note: str
    row: str = ""
    about: str = ""
    equivalent: str = ""

    def applied(self, text):
        """`text`, that of the file, with the mistake in it.

        Raises:
            ValueError: `old` does not occur just once.
        """
        count = text.count(self.old)
        if count != 1:
            message = f"{self.name} does not apply: its snippet occurs {count} times in {self.path}"
            raise ValueError(f"{message}, expected once. The snippet: {self.old!r}")

        return text.replace(self.old, self.new)
