"""What training and export share: command lines, errors, whole files, trained networks."""
