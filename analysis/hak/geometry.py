"""Size classes and stages by name, as the trace's numbers mean them."""

STRIDES = (8, 16, 32, 64, 128, 256, 512, 2048, 48, 96, 192, 384, 768, 1024, 1280, 1536)
NO_CLASS = 255   # what has no size class: larger requests
# The largest requests that ACE's mid and large pools are for.
MID_MOST, LARGE_MOST = 32 << 10, 1 << 20
# Requests for as much and more cannot be meant: programs make them to see them refused.
ADDRESSES = 1 << 48
# Events of single blocks name ACE's layers as classes.
LAYER_CLASSES = {252: 'MID', 253: 'LARGE', 254: 'HUGE'}


class Names(dict):
    """Words for labels of the trace. A damaged one may have values without a label, '?7': as they
    are."""

    def __missing__(self, label: str) -> str:
        return label


# In the order in which the shared pool tries them.
STAGES = ('STAGE_0_5', 'STAGE_1', 'STAGE_2', 'ADOPT', 'REBIND', 'STAGE_3')
STAGE_NAMES = Names(STAGE_0_5='0.5', STAGE_1='1', STAGE_2='2', ADOPT='adopt', REBIND='rebind',
                    STAGE_3='3')


def class_name(cls: int) -> str:
    return f'C{cls}' if cls < len(STRIDES) else 'none'


def class_text(cls: int) -> str:
    """'C6 (512 B)'"""
    return f'C{cls} ({STRIDES[cls]:,} B)' if cls < len(STRIDES) else 'no class'

# How a life ended: enum life_end of analysis/plugin/tables.h.
ENDS = {
    0: 'live',       # when the recording ended
    1: 'listed',     # EMPTY, on its class's stage-1 list
    2: 'unlisted',   # EMPTY, for stage 0.5 to find
    3: 'exec',       # its process executed another program
    4: 'unseen',     # the trace does not show how
}
