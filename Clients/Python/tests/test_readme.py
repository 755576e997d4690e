"""The code of the README runs as it stands, and runs again on the same server."""

import re
from pathlib import Path


def test_the_tour_runs_twice(own_daemon, capsys):
  daemon = own_daemon()
  text = (Path(__file__).parent.parent / "README.md").read_text()
  blocks = [block.replace("127.0.0.1:8433", daemon.address) for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL)]
  assert len(blocks) == 4
  for version, guests in ((1, 100), (5, 200)):
    for block in blocks:
      exec(compile(block, "README.md", "exec"), {"__name__": "tour"})
    printed = capsys.readouterr().out
    assert f"APPLIED version {version}\n" in printed
    assert "NOT_FOUND ENTITY_NOT_FOUND" in printed
    assert printed.endswith("APPLIED\n")
    assert f"100 guests\n{guests} listed" in printed
