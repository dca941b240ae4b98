"""One file a recipe; each defines `RECIPE`, and its header says how to run it and what came out."""
