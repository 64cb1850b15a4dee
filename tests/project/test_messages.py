"""Error messages say which parameter, the rule, and what was given: this reads every message in the source.

tests/messages provokes them all, and looks at what is put into them.
"""

import pytest
from messages import OUTCOMES, UNCLEAR
from raises import SOURCE, find_raises

MESSAGES = [
    pytest.param(site.strings(), id=f"{site.file}:{site.first}")
    for site in find_raises()
    if site.error() in ("ValueError", "TypeError", "OverflowError")
]


@pytest.mark.skipif(not SOURCE.is_dir(), reason="the source is not here: a wheel is tested")
@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_states_the_rule(message):
    assert not UNCLEAR.search(message), message
    filled_in = message == "" or message.startswith("{what")  # with the whole text, which tests/messages reads
    assert "must" in message or OUTCOMES.search(message) or filled_in, message
