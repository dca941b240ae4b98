"""Shared by training and export: command lines, errors, whole files, runs, trained networks."""
