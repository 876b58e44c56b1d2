"""The code blocks of README.md: lines that begin with "$ " are commands, those after them what they print.

    blocks(text) -> [Block(line, run, [Step(command, typed, printed)])]

A block below the comment <!-- test: syntax --> is not run, only parsed. Lines with another prompt, as in
"me@debian:~$ ", are typed into the command before them.
"""
import re
from dataclasses import dataclass, field

MARK = "<!-- test: syntax -->"
PROMPT = re.compile(r"\w+@\w+:\S*\$ ")
MONTH = "(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"


@dataclass
class Step:
    command: str
    typed: list = field(default_factory=list)
    printed: list = field(default_factory=list)

    def fails(self):
        """Whether README shows that it does."""
        return any(re.match(r"hint: |curl: \(|ls: cannot|berth-open: only", line) for line in self.printed)

    def script(self):
        typed = "\n".join([*self.typed, ""])
        return f"{{ {self.command}\n}} <<'TYPED'\n{typed}TYPED\n" if self.typed else f"{self.command}\n"


@dataclass
class Block:
    line: int
    run: bool
    steps: list


def add_line(steps, text, where):
    prompt = PROMPT.match(text)
    if steps and steps[-1].printed and not steps[-1].printed[-1] and text.startswith("$ "):
        steps[-1].printed.pop()  # it parts two commands
    if text.startswith("$ "):
        steps.append(Step(text[2:]))
        return
    assert steps, f"README.md:{where}: a block begins with a command"
    if prompt:
        steps[-1].typed.append(text[prompt.end():])
    else:
        steps[-1].printed.append(text)


def blocks(text):
    """An empty line belongs to a block that goes on after it, as Markdown has it."""
    found, block, marked, empty = [], None, False, 0
    for number, line in enumerate(text.splitlines(), 1):
        assert not line.startswith("```"), f"README.md:{number}: blocks are indented by four spaces"
        if line.startswith("    "):
            if block is None:
                block = Block(number, not marked, [])
                found.append(block)
                marked = False
            for text_line in [""] * empty + [line[4:]]:
                add_line(block.steps, text_line, number)
            empty = 0
        elif line:
            assert not marked, f"README.md:{number}: a block follows {MARK}"
            block, empty, marked = None, 0, line == MARK
        elif block:
            empty += 1
    return found


def shape(line, home, user):
    """@line without what differs from run to run: numbers, units, times, and who runs it."""
    line = line.replace(home, "/home/me").replace(user, "me")
    line = re.sub(rf"{MONTH} +\d+ +[\d:]+", "DATE", line)
    line = re.sub(r"\d+(\.\d+)*", "0", line)
    line = re.sub(r"\b0 ([KMGT]i)?B\b", "0 B", line)
    return " ".join(line.split())


def matches(printed, shown):
    """Whether the shapes @printed are those @shown, where "..." stands for any lines."""
    if not shown:
        return not printed
    if shown[0] == "...":
        return any(matches(printed[i:], shown[1:]) for i in range(len(printed) + 1))
    return bool(printed) and printed[0] == shown[0] and matches(printed[1:], shown[1:])
