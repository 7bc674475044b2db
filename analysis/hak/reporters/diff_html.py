"""`hak diff --html`: one page, with all that it needs inside and nothing fetched."""

import base64
import hashlib
import json
import re
from pathlib import Path

from hak import paths
from hak.comparison import Comparison


def write(found: Comparison, file: Path) -> None:
    folder = paths.dashboard('diff')
    style, script = ((folder / name).read_text(encoding='utf-8')
                     for name in ('diff.css', 'diff.js'))
    # What a recording says must not end the element it is in.
    data = json.dumps(found.as_json(), ensure_ascii=False).replace('<', '\\u003c')
    parts = {'style': style, 'script': script, 'data': data,
             'policy': f"default-src 'none'; style-src 'unsafe-inline'; "
                       f"script-src 'sha256-{_digest(script)}'"}
    page = (folder / 'diff.html').read_text(encoding='utf-8')
    file.write_text(re.sub(r'{{(\w+)}}', lambda match: parts[match[1]], page), encoding='utf-8',
                    errors='replace')


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
