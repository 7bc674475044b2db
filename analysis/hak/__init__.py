"""hak: records, reads and explains what the hakmem allocator does."""

__version__ = '0.1.0'
