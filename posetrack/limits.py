"""How large what documents say may be. Whatever is larger is a mistake, or costs memory without end."""

PIXELS = 1_000_000  # no picture is larger, and nothing that is drawn lies farther outside one
FRAMES = 10_000_000  # four days at 25 frames a second
PEOPLE = 10_000  # in a frame
