"""Training of detectors: transforms, assignment of boxes to objects, samples, losses."""
