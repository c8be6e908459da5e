"""Scenes that are made up and rendered: training photographs whose truth is known."""
