"""What a running session tells: LTTng's live mode → reader (a process) → snapshots → views.

    relay.py     a relay daemon and a live session of our own
    reader.py    Babeltrace's lttng-live source, a snapshot a line on its stdout
    tally.py     the counts and states that snapshots are made of
    feed.py      starts the reader, and starts again when session or daemon end
    stream.py    snapshots for programs; reporters/top_screen is the view for people
    signals.py   an orderly end
    server.py    the last snapshot over HTTP, for Prometheus
"""
