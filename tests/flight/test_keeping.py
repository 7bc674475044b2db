"""The links that make LTTng's shared memory outlive its daemon."""

import os
import sys

from conftest import ROOT

sys.path.insert(0, str(ROOT / 'analysis'))
from hak.flight_watch import keep  # noqa: E402


def test_what_another_process_links_or_lttng_takes_away_meanwhile_is_no_error(tmp_path, monkeypatch):
    live, kept = tmp_path / 'live', tmp_path / 'kept'
    (live / 'session' / 'ust').mkdir(parents=True)
    for name in ('stream_0', 'stream_1', 'stream_2'):
        (live / 'session' / 'ust' / name).write_text(name)
    link = os.link

    def late(source, target):
        if source.name == 'stream_0':
            link(source, target)
        elif source.name == 'stream_1':
            source.unlink()
        link(source, target)

    monkeypatch.setattr(os, 'link', late)
    keep(live, kept)
    assert sorted(path.name for path in (kept / 'ust').iterdir()) == ['stream_0', 'stream_2']
    assert (kept / 'ust/stream_0').samefile(live / 'session/ust/stream_0')
