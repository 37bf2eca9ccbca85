"""Fixtures of these tests."""

from tests.homes import shared_reader

__all__ = ["shared_reader"]
