"""A model for OpenVINO, in its intermediate representation (IR)."""
