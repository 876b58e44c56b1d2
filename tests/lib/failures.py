"""What test programs said of their failures, for those who see only the end of CI's output."""
import re

LINES_OF_ONE = 14
LINES_OF_A_KERNEL = 60
# What a kernel that dies writes first: BUG, Oops, a fault, or the panic alone.
DYING = re.compile(r"\[ *\d+\.\d+\] .*(BUG: |Oops|general protection fault|Unable to handle|double fault|Kernel panic)")


def told_by_code(report):
    """The lines that a reader looks for first: the code that failed and why."""
    return [line for line in report.splitlines() if re.match(r"E  |>  |\S+:\d+: ", line)][-LINES_OF_ONE:]


def told_by_kernels(sections):
    """The last words of each guest's kernel that died, from the console (consoles.py)."""
    words = []
    for section in sections:
        lines = section.splitlines()
        begin = next((at for at, line in enumerate(lines) if DYING.search(line)), None)
        words += lines[begin:begin + LINES_OF_A_KERNEL] if begin is not None else []
    return words


def told_by_pytest(text):
    """{title: lines} of each report."""
    parts = re.split(r"^_{3,} (.+?) _{3,}$", text, flags=re.M)
    told = {}
    for title, body in zip(parts[1::2], parts[2::2]):
        report, *sections = re.split(r"^-{3,} .+ -{3,}$", body, flags=re.M)
        told[re.sub(r"^ERROR at \w+ of ", "", title)] = told_by_code(report) + told_by_kernels(sections)
    return told


def of_pytest(text):
    """[lines] of each failed or skipped test in the output of pytest -ra."""
    told = told_by_pytest(text)
    found = []
    for line in re.findall(r"^(?:FAILED|ERROR|SKIPPED) .+$", text, re.M):
        said = re.sub(r"^[A-Z]+ (?:.*?::)?", "", line).replace("::", ".") + " "  # NAME - REASON, both may hold " - "
        found.append([line, *next((lines for title, lines in told.items() if said.startswith(title + " ")), [])])
    return found


def of_tap(text):
    """[lines] of each failed or skipped test in the output of a TAP program, with the remarks around it."""
    lines = text.splitlines()
    return [[line, *(row for row in lines[max(0, at - 3):at + 4] if row.startswith("#"))]
            for at, line in enumerate(lines) if re.match(r"not ok \d+|ok \d+.*# SKIP", line)]


def of_output(text, error=""):
    """[lines] of each failure of a test program: of what it printed, of what it wrote to its standard error."""
    found = of_pytest(text) or of_tap(text)
    if not found:
        return [["the end of its output:", *(text + error).splitlines()[-LINES_OF_ONE:]]]
    found[-1].extend(error.splitlines()[-LINES_OF_ONE:])
    return found


def of_rerun(text, test):
    """The lines of the report on a test's first failure (conftest.py), if there is one."""
    return told_by_pytest(text).get(f"rerun of {test}", [])
