"""The end-to-end harness: real mintd, real Redis, raw sockets. See conftest.py for a tour."""
