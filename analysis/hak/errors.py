"""The one exception that reaches the user as a line, and the exit codes."""

OK = 0
FINDINGS = 1
USAGE = 2
UNUSABLE = 3


class HakError(Exception):
    """What went wrong and what to do about it; cli.main prints it as `hak: WHAT: remedy`."""

    def __init__(self, message: str, remedy: str = '', code: int = UNUSABLE):
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.code = code

    def line(self) -> str:
        from hak import ui   # not before it is needed: most commands begin without

        text = f'{self.message}: {self.remedy}' if self.remedy else self.message
        return ui.one_line(text)
