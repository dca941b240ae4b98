"""Artifacts for servers, phones and browsers, made from trained networks. Not installed."""
