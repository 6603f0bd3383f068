"""`devkit replay`: what is asked, run, and said of it."""
