# SPDX-License-Identifier: MIT
"""lib/wire/PROTOCOL.md: its program does what it says, and its figures and names are the headers'."""
import re
import subprocess
import sys

from conftest import SOURCE

PAGE = SOURCE / "lib/wire/PROTOCOL.md"


def test_its_program_asks_a_keeper(box, tmp_path):
    program = tmp_path / "ask.py"
    program.write_text(re.search(r"```python\n(.*?)```", PAGE.read_text(), re.S).group(1))
    (box.bin / "berth").symlink_to(box.program)
    box("start", "box").ok()
    result = subprocess.run([sys.executable, program, "box"], env=box.environment, capture_output=True, text=True, timeout=60)
    assert (result.stdout, result.stderr) == ("running\n", "")


def test_its_figures_are_the_headers():
    text, header = PAGE.read_text(), (SOURCE / "lib/wire/wire.h").read_text()
    for name in ("WIRE_HEADER_SIZE", "WIRE_PAYLOAD_MAX", "WIRE_WINDOW"):
        figure = re.search(rf"#define {name}\s+(\d+)u", header).group(1)
        assert re.search(rf"\b{figure} bytes|\bmost {figure}\b", text), name
    assert re.search(r'WIRE_PORT_NAME +"(.*)"', header).group(1) in text
    for path in re.findall(r"`((?:lib|cmd|tests)/[\w./]+)`", text):
        assert (SOURCE / path).exists(), path
